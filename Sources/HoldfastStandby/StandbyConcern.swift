internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// Something about a standby that somebody has to look at. The copy that serves stays as it is.
package struct StandbyConcern: Hashable, Sendable, Encodable {
  package enum Kind: String, Hashable, Sendable, Encodable {
    /// A snapshot has anomalies that nobody has accepted: neither it nor a newer one is followed.
    case suspicious
    /// A copy was changed by somebody, so that it is not written over.
    case changed
    /// The snapshot that serves was removed from the repository.
    case removed
    /// The copy claims to be newer than everything in the repository.
    case ahead
  }

  package let kind: Kind
  /// It, in a sentence without a full stop.
  package let text: String

  static func suspicious(_ snapshot: Snapshot) -> StandbyConcern {
    let found = snapshot.envelope.comparison?.anomalies.first.map { "\($0)" } ?? ""
    let id = snapshot.id.short
    return StandbyConcern(
      kind: .suspicious,
      text:
        "snapshot \(id), number \(snapshot.sequence), is not followed, nor what came after it, because of what it looks like: \(found); if that was meant, run `holdfast accept \(id)`"
    )
  }

  static func changed(_ copy: Path, isServing: Bool) -> StandbyConcern {
    StandbyConcern(
      kind: .changed, text: "somebody has changed \(copy)\(isServing ? ", which serves," : "") since it was proved")
  }

  /// - Parameter copy: the path of the copy that serves.
  static func removed(_ record: CopyRecord, _ copy: Path) -> StandbyConcern {
    StandbyConcern(
      kind: .removed,
      text:
        "the copy that serves is snapshot \(record.snapshot.short), number \(record.sequence), which was removed from the repository, and nothing newer is there; the next snapshot replaces it, or remove \(copy), and the newest one that is left serves"
    )
  }

  static func ahead(_ record: CopyRecord, of location: String) -> StandbyConcern {
    StandbyConcern(
      kind: .ahead,
      text:
        "the copy that serves says that it is snapshot \(record.snapshot.short), number \(record.sequence), and \(location) has nothing as new: that place is behind, or somebody has changed the record of the copy"
    )
  }
}
