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
    let first: SnapshotPlaceJSON
    let last: SnapshotPlaceJSON
    let snapshots: Int

    private enum Key: String, CodingKey { case entry, first, last, snapshots }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(entry, forKey: .entry)
      try container.encode(first, forKey: .first)
      try container.encode(last, forKey: .last)
      try container.encode(snapshots, forKey: .snapshots)
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

  package init(_ history: History) {
    sources = history.sources.map { source in
      OfSource(
        source: source.name.text, path: source.path.description, deleted: source.isDeleted,
        distinct: source.distinctCount,
        versions: source.versions.map { version in
          Version(
            entry: version.entry.map { EntryJSON($0) }, first: SnapshotPlaceJSON(version.first),
            last: SnapshotPlaceJSON(version.last), snapshots: version.snapshotCount)
        })
    }
  }
}

/// One path that `find` has found, as a line of `find --json`.
package struct FindJSON: Encodable {
  let source: String
  /// The entry in the newest snapshot that has the path.
  let entry: EntryJSON
  let first: SnapshotPlaceJSON
  let last: SnapshotPlaceJSON
  /// The number of snapshots that have the path.
  let snapshots: Int
  /// True if the newest snapshot of the source does not have the path.
  let deleted: Bool

  package init(_ match: Find.Match, of source: Find.OfSource) {
    self.source = source.name.text
    entry = EntryJSON(match.newest)
    (first, last) = (SnapshotPlaceJSON(match.first), SnapshotPlaceJSON(match.last))
    (snapshots, deleted) = (match.snapshotCount, match.isDeleted)
  }
}
