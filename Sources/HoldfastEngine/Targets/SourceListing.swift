internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The objects of a source in a store, from one listing.
struct SourceListing {
  /// The presence of an object.
  enum Presence: Equatable {
    case asRecorded
    case missing
    /// Present, and not as recorded.
    case damaged(DamageError)

    init(_ object: RecordedObject, length: UInt64) {
      self =
        length == object.length
        ? .asRecorded : .damaged(DamageError(object.key, "it has \(length) bytes instead of \(object.length)"))
    }
  }

  /// The lengths of all objects by their keys, in bytes; `nil` for lengths that the listing does not contain.
  private(set) var lengths: [String: UInt64?] = [:]
  /// The numbers of the snapshots whose manifests are there.
  private(set) var committed: Set<UInt64> = []
  /// The keys of bodies and archives, by the numbers of the directories in which they lie.
  private(set) var data: [UInt64: [String]] = [:]
  /// The revisions of the notes.
  private(set) var notes: Set<UInt64> = []

  init(of source: SourceName, in store: any Store) throws {
    let prefix = Keys.source(source)
    try store.forEachEntry(below: prefix, .everything) { entry in
      let key = prefix + entry.name
      let parts = entry.name.split(separator: "/", omittingEmptySubsequences: false)
      if entry.kind == .foreign { return true }
      lengths.updateValue(entry.kind.length, forKey: key)
      if parts.count == 3, parts[0] + "/" == Keys.notesName, let revision = Keys.sequence(parts[1]) {
        if key == Keys.notes(source, revision) { notes.insert(revision) }
      } else if parts.count == 2, let sequence = Keys.sequence(parts[0]) {
        if parts[1] == Keys.manifestName {
          committed.insert(sequence)
        } else if Keys.isBody(key) || Keys.isArchive(key) {
          data[sequence, default: []].append(key)
        }
      }
      return true
    }
  }

  /// Compares an object with the length that a manifest records. If the listing does not contain its length, it is
  /// opened.
  func presence(of object: RecordedObject, in store: any Store) throws -> Presence {
    guard let listed = lengths[object.key] else { return .missing }
    let expected = store.listedLength(of: object.key, length: object.length)
    if let listed, expected == object.length || listed == expected {
      return Presence(object, length: listed == expected ? object.length : listed)
    }
    // The listing shows no length, or that of a shard, which is wrong.
    do {
      return Presence(object, length: try store.object(object.key).length)
    } catch let damage as DamageError where expected != object.length {
      return .damaged(damage)
    }
  }
}
