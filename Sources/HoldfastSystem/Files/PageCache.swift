internal import CLinux

/// The effect of reading on the page cache, which the servers of the machine need.
package enum PageCacheUse: Sendable {
  /// Like any program: pages that reading adds stay.
  case ordinary
  /// Cached pages stay; pages that reading adds are dropped.
  case sparing
  /// The same effect, with the means of Linux before 6.14.
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
  /// Drops the pages of this file that are on stable storage from the page cache. If the kernel cannot do it, nothing
  /// is lost.
  package func dropFromPageCache() { _ = holdfast_drop_cached(descriptor) }
}
