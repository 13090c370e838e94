internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastRepository

/// The snapshots of a source that a standby may follow.
struct StandbyChoice {
  /// All that were not removed, whole and not known as damaged.
  let complete: [Snapshot]
  /// The oldest one after the copy that has anomalies nobody has accepted. Neither it nor a newer one is followed: a
  /// later snapshot of a source that was encrypted looks as usual again.
  let suspicious: Snapshot?
  /// The damage that was met while they were looked up.
  let damage: [DamageError]
  private let all: [Snapshot]
  private let notes: SourceNotes
  private let source: SourceName
  private let location: String

  /// - Parameter record: the record of the copy that serves.
  init(
    of source: SourceName, in repository: Repository, after record: CopyRecord?, _ progress: any ProgressObserver
  ) throws {
    var damage: [DamageError] = []
    all = try repository.catalog.allSnapshots(of: source, includingRemoved: true) {
      progress.warn($0.message)
      damage.append($0)
    }
    self.damage = damage
    let notes = try repository.notes.read(source).notes
    let left = all.filter { notes[$0].removed == nil }
    complete = left.filter { $0.envelope.incomplete == 0 && notes[$0].damaged == nil }
    suspicious =
      left.filter { $0.isSuspicious(notes) && CopyRecord.isNewer($0, than: record) }.min(by: Snapshot.isOlder)
    (self.notes, self.source, location) = (notes, source, repository.location)
    guard let newest = complete.max(by: Snapshot.isOlder) else { return }
    let passed = left.filter { Snapshot.isOlder(newest, $0) }
    if passed.contains(where: { $0.envelope.incomplete > 0 }) {
      progress.warn(
        "newer snapshots of \(source) could not read all of their source, and are passed over: `holdfast list --name \(source)` shows them"
      )
    }
    if let damaged = passed.first(where: { notes[$0].damaged != nil }) {
      progress.warn(
        "snapshot \(damaged.id.short), number \(damaged.sequence), of \(source) is damaged, and is passed over: `holdfast scrub` may repair it"
      )
    }
  }

  /// Returns the newest snapshot that may be followed.
  /// - Throws: when there is none.
  func newest() throws -> Snapshot {
    let followed = complete.filter { snapshot in suspicious.map { snapshot.standsFor < $0.standsFor } ?? true }
    if let newest = followed.max(by: Snapshot.isOlder) { return newest }
    guard let suspicious else {
      throw EngineError(
        .transient, "there is no complete snapshot of \(source) in \(location) yet",
        hint: "Run `holdfast list --name \(source)` to see what there is.")
    }
    throw EngineError(
      .transient, "there is no snapshot of \(source) to follow: \(StandbyConcern.suspicious(suspicious).text)",
      hint: "Run `holdfast show \(suspicious.id.short)` to see what has changed in it.", exitStatus: .incomplete)
  }

  /// Returns what is wrong with the copy that serves while nothing newer is there; `nil` if nothing is.
  /// - Parameter path: the path of the copy.
  func concern(about record: CopyRecord, _ path: Path) -> StandbyConcern? {
    guard all.allSatisfy({ notes[$0].removed != nil || $0.standsFor < record.standsFor }) else { return nil }
    let isKnown = all.contains { $0.id == record.snapshot && $0.sequence == record.sequence }
    return isKnown ? .removed(record, path) : .ahead(record, of: location)
  }
}
