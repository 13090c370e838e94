internal import HoldfastArchive
package import HoldfastBrowse
internal import HoldfastModel
internal import HoldfastSystem

/// A snapshot of which only the place in its source matters.
struct SnapshotPlaceJSON: Encodable {
  let id: String
  let sequence: UInt64
  /// The time at which it was begun.
  let time: String

  init(_ snapshot: SnapshotOutline) {
    (id, sequence, time) = (snapshot.id.description, snapshot.sequence, TimeText.utc(snapshot.started))
  }
}

/// The versions of a path, as `history --json` shows them.
package struct HistoryJSON: Encodable {
  struct Version: Encodable {
    /// `null` where the snapshots have nothing at the path.
    let entry: EntryJSON?
    let firstSnapshot: SnapshotPlaceJSON
    let lastSnapshot: SnapshotPlaceJSON
    let snapshotCount: Int

    private enum Key: String, CodingKey { case entry, firstSnapshot, lastSnapshot, snapshotCount }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(entry, forKey: .entry)
      try container.encode(firstSnapshot, forKey: .firstSnapshot)
      try container.encode(lastSnapshot, forKey: .lastSnapshot)
      try container.encode(snapshotCount, forKey: .snapshotCount)
    }
  }

  struct OfSource: Encodable {
    let source: String
    let path: String
    /// True if the newest snapshot has nothing at the path.
    let deleted: Bool
    /// The number of different contents.
    let distinct: Int
    let versions: [Version]
  }

  let sources: [OfSource]
  let damage: [String]

  package init(_ history: History) {
    damage = history.damage.map(\.message)
    sources = history.sources.map { source in
      OfSource(
        source: source.name.text, path: source.path.description, deleted: source.isDeleted,
        distinct: source.distinctCount,
        versions: source.versions.map { version in
          Version(
            entry: version.entry.map { EntryJSON($0) }, firstSnapshot: SnapshotPlaceJSON(version.first),
            lastSnapshot: SnapshotPlaceJSON(version.last), snapshotCount: version.snapshotCount)
        })
    }
  }
}

/// The keys of `find --json` before the paths.
package struct FindHeadJSON: Encodable {
  let damage: [String]

  package init(_ found: Find) { damage = found.damage.map(\.message) }
}

/// One path that `find` has found.
package struct FindJSON: Encodable {
  let source: String
  /// The entry in the newest snapshot that has the path.
  let entry: EntryJSON
  let firstSnapshot: SnapshotPlaceJSON
  let lastSnapshot: SnapshotPlaceJSON
  /// The number of snapshots that have the path.
  let snapshotCount: Int
  /// True if the newest snapshot of the source does not have the path.
  let deleted: Bool

  package init(_ match: Find.Match, of source: Find.OfSource) {
    self.source = source.name.text
    entry = EntryJSON(match.newest)
    (firstSnapshot, lastSnapshot) = (SnapshotPlaceJSON(match.first), SnapshotPlaceJSON(match.last))
    (snapshotCount, deleted) = (match.snapshotCount, match.isDeleted)
  }
}
