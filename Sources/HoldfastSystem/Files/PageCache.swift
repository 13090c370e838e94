internal import CLinux

/// How reading treats the page cache, which belongs to the servers of the machine.
package enum PageCacheUse: Sendable {
  /// As any program.
  case ordinary
  /// What was cached stays, what we bring in is dropped.
  case sparing
  /// The same, by what Linux had before 6.14.
  case sparingByAdvice

  func read(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    switch self {
    case .ordinary: pread(descriptor, buffer.baseAddress, buffer.count, offset)
    case .sparing: holdfast_read_sparingly(descriptor, buffer.baseAddress, buffer.count, offset)
    case .sparingByAdvice: holdfast_read_and_drop(descriptor, buffer.baseAddress, buffer.count, offset)
    }
  }
}

extension OpenFile {
  /// Takes out of the page cache what this file left there and is on stable storage. Where the kernel does not do that, nothing is lost.
  package func dropFromPageCache() { _ = holdfast_drop_cached(descriptor) }
}
