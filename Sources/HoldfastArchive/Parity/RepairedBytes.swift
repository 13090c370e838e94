package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// The bytes of a container as its own parity gives them back. They are read where the stored bytes are damaged, and
/// nobody vouches for them: the reader checks them as it checks all stored bytes. For all threads.
package final class RepairedBytes: ReadableBytes {
  package let name: String
  package let length: UInt64
  private let object: Identifier
  private let open: @Sendable () throws -> any ReadableBytes
  private let onRepair: @Sendable () -> Void
  private let state = Mutex<Result<RepairedContainer, DamageError>?>(nil)

  /// - Parameters:
  ///   - length: the length of the container as its manifest records it.
  ///   - onRepair: called once, when parity has given back something that is lost.
  ///   - open: opens the stored bytes, which may have another length; called when they are first read.
  package init(
    _ name: String, _ object: Identifier, length: UInt64, onRepair: @escaping @Sendable () -> Void = {},
    open: @escaping @Sendable () throws -> any ReadableBytes
  ) {
    (self.name, self.object, self.length) = (name, object, length)
    (self.open, self.onRepair) = (open, onRepair)
  }

  /// True if parity is left of the container.
  package func hasParity() throws -> Bool {
    do {
      return try withContainer { _ in true }
    } catch is DamageError {
      return false
    }
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    guard offset <= length, UInt64(buffer.count) <= length - offset else {
      throw DamageError(name, "it ends before that")
    }
    guard !buffer.isEmpty else { return }
    let isFirstRepair = try withContainer { container in
      let wasRepaired = container.isRepaired
      buffer.copyBytes(from: try container.bytes(offset..<offset + UInt64(buffer.count)))
      return container.isRepaired && !wasRepaired
    }
    if isFirstRepair { onRepair() }
  }

  private func withContainer<Value>(_ body: (inout RepairedContainer) throws -> Value) throws -> Value {
    try state.withLock { known in
      let opened = try known ?? find()
      // A value that stays in the lock would be copied when it changes.
      known = nil
      switch opened {
      case .success(var container):
        defer { known = .success(container) }
        return try body(&container)
      case .failure(let damage):
        known = opened
        throw damage
      }
    }
  }

  /// - Returns: a failure if there is no parity to read.
  private func find() throws -> Result<RepairedContainer, DamageError> {
    do {
      let search = ParitySearch(bytes: try open(), object: object, length: length)
      guard let found = try search.run() else { return .failure(DamageError(name, "it has no parity")) }
      return .success(RepairedContainer(search, found))
    } catch  where error.isDamage {
      return .failure(DamageError(name, describe(error).message))
    }
  }
}

/// A damaged container whose layout is known.
private struct RepairedContainer {
  /// The pages of a MiB. A far object is read with one request for so many.
  private static let pagesAtOnce: UInt64 = 256
  private let search: ParitySearch
  private let found: ParitySearch.Found
  private var pages: PageRepair
  /// The bytes behind the blocks of parity; `nil` until they are needed.
  private var tail: [UInt8]?
  private var isTailRepaired = false

  init(_ search: ParitySearch, _ found: ParitySearch.Found) {
    (self.search, self.found) = (search, found)
    pages = PageRepair(search, found.layout)
  }

  private var layout: ParityLayout { found.layout }

  /// True if it gives anything that is not stored.
  var isRepaired: Bool { pages.hasRepaired || isTailRepaired }

  mutating func bytes(_ range: Range<UInt64>) throws -> [UInt8] {
    let (section, core) = (layout.sectionRange, layout.coreBytes)
    var bytes: [UInt8] = []
    let ofCore = range.clamped(to: 0..<core)
    if !ofCore.isEmpty { bytes += try coreBytes(ofCore) }
    // Nobody uses the blocks themselves: a copy of the container computes them anew.
    bytes += try search.readable(range.clamped(to: section))
    let ofTail = range.clamped(to: section.upperBound..<layout.objectBytes)
    if !ofTail.isEmpty {
      let tail = try tail ?? makeTail()
      bytes += tail[Int(ofTail.lowerBound - section.upperBound)..<Int(ofTail.upperBound - section.upperBound)]
    }
    return bytes
  }

  private mutating func coreBytes(_ range: Range<UInt64>) throws -> [UInt8] {
    let pageBytes = UInt64(ParityCode.pageBytes)
    let first = range.lowerBound / pageBytes
    let all = try pages.pages(first..<(range.upperBound - 1) / pageBytes + 1)
    let start = Int(range.lowerBound - first * pageBytes)
    return Array(all[start..<start + range.count])
  }

  /// Returns the end of the parity and the trailer. If that end is lost, the parity is computed again from the core.
  private mutating func makeTail() throws -> [UInt8] {
    let stored = try search.read(layout.sectionRange.upperBound, ParityEnd.byteCount + ParityBlock.trailerBytes) ?? []
    let trailer = found.trailer ?? Array(stored.suffix(ParityBlock.trailerBytes))
    guard trailer.count == ParityBlock.trailerBytes else {
      throw DamageError(search.bytes.name, "its trailer is lost, and so is all of its parity")
    }
    let end = ParityEnd(Array(stored.prefix(ParityEnd.byteCount)), length: layout.objectBytes)
    var made: [UInt8]
    if let end, end.layout == layout {
      made = end.bytes
    } else {
      made = try computeEnd(trailer).bytes
    }
    made += trailer
    (tail, isTailRepaired) = (made, made != stored || search.bytes.length != layout.objectBytes)
    return made
  }

  private mutating func computeEnd(_ trailer: [UInt8]) throws -> ParityEnd {
    var blocks = ParityBlocks(layout, of: search.object, trailer: trailer)
    let encoder = try ParityEncoder(layout.code) { try blocks.append($0) { _ in } }
    for first in stride(from: 0, to: layout.pageCount, by: Int(Self.pagesAtOnce)) {
      let range = first..<min(first + Self.pagesAtOnce, layout.pageCount)
      try pages.pages(range).withUnsafeBytes { try encoder.append($0) }
    }
    try encoder.finish()
    return blocks.finish()
  }
}
