internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// A stored container that is read in other ways where it is damaged: first with its own parity, then at other targets,
/// and at last with the parity that it has there.
final class RepairableObject: ReadableBytes {
  let name: String
  let length: UInt64
  private let stored: Result<any ReadableBytes, any Error>
  private let uses: ParityUses
  private let object: Identifier
  private let parity: RepairedBytes
  /// The parity at other targets; `nil` until it is needed.
  private let parityElsewhere = Mutex<[RepairedBytes]?>(nil)

  /// - Parameters:
  ///   - uses: is told when parity had to give back something.
  ///   - open: opens the object. If it is damaged, the error comes when it is read.
  /// - Throws: the error of opening when it is no damage.
  init(
    _ key: String, _ reference: ObjectReference, in store: any Store, _ uses: ParityUses,
    _ open: () throws -> any ReadableBytes
  ) throws {
    (name, length, object, self.uses) = (key, reference.length, reference.id, uses)
    stored = Result { try open() }
    if case .failure(let error) = stored, !error.isDamage { throw error }
    parity = RepairedBytes(key, reference.id, length: reference.length) {
      uses.note(key)
    } open: {
      try store.openAnew(key)
    }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try stored.get().read(into: buffer, at: offset)
  }

  func read(_ parts: [ReadPart]) throws { try stored.get().read(parts) }

  func expect(_ ranges: [Range<UInt64>]) { (try? stored.get())?.expect(ranges) }

  var copies: [any ReadableBytes] {
    let elsewhere = (try? stored.get())?.copies ?? []
    let repaired = parityElsewhere.withLock { known in
      let repaired =
        known
        ?? elsewhere.map { [name, uses] copy in
          RepairedBytes(name, object, length: length) {
            uses.note(name)
          } open: {
            copy
          }
        }
      known = repaired
      return repaired
    }
    return [parity] + elsewhere + repaired
  }
}

extension RepairedBytes {
  /// The same for an object of which only the key and the length are known; `nil` for a key without an ID.
  convenience init?(_ object: RecordedObject, in store: any Store) {
    guard let id = Identifier(String(object.key.suffix(2 * Identifier.byteCount))) else { return nil }
    self.init(object.key, id, length: object.length) {
      try store.openAnew(object.key)
    }
  }
}
