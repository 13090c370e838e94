internal import HoldfastArchive
internal import HoldfastStore
internal import HoldfastSystem

/// Stored bytes of frames that were made again, by their offsets in their container.
final class RemadeFrames: Sendable {
  private let bytes: any ScratchBytes
  private let places: [UInt64: Range<UInt64>]

  /// - Parameters:
  ///   - bytes: the frames one after the other, finished.
  ///   - places: the range of each in `bytes`, by its offset in the container.
  init(_ bytes: any ScratchBytes, at places: [UInt64: Range<UInt64>]) { (self.bytes, self.places) = (bytes, places) }

  var count: Int { places.count }

  /// Fills the buffer if a frame of its length begins at the offset.
  /// - Returns: false if there is none.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Bool {
    guard let place = places[offset], place.count == buffer.count else { return false }
    try bytes.read(into: buffer, at: place.lowerBound)
    return true
  }
}

/// A store in which one object is read with frames that were made again, where its own are damaged in every place.
struct MendedStore: StoreLayer {
  let base: any Store
  let key: String
  let frames: RemadeFrames

  func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    let object = try base.open(key, length: length)
    return key == self.key ? MendedObject(object: object, frames: frames, isCopy: false) : object
  }

  func openAnew(_ key: String) throws -> any ReadableBytes { try base.openAnew(key) }
}

/// A container, with a last copy in which the frames that were made again take the place of its own.
private struct MendedObject: ReadableBytes {
  let object: any ReadableBytes
  let frames: RemadeFrames
  /// True for that last copy.
  let isCopy: Bool

  var length: UInt64 { object.length }
  var name: String { object.name }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    if isCopy, try frames.read(into: buffer, at: offset) { return }
    try object.read(into: buffer, at: offset)
  }

  func read(_ parts: [ReadPart]) throws {
    if isCopy { for part in parts { try read(into: part.buffer, at: part.offset) } } else { try object.read(parts) }
  }

  func expect(_ ranges: [Range<UInt64>]) { if !isCopy { object.expect(ranges) } }

  var copies: [any ReadableBytes] {
    isCopy ? [] : object.copies + [MendedObject(object: object, frames: frames, isCopy: true)]
  }

  func noteDamage(_ damage: any Error) { if !isCopy { object.noteDamage(damage) } }

  func isProof(of range: Range<UInt64>) -> Bool { object.isProof(of: range) }
}
