internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Reads what snapshots changed at the paths that are asked for: from what this machine keeps, otherwise from their
/// bodies. Every byte of those is proved against its digest in the manifest.
struct ChangeScan {
  /// The changes of one snapshot in path order, or the damage that hides them.
  typealias Outcome = Result<[Change], DamageError>

  /// The number of snapshots that one thread reads after each other.
  private static let batch = 32
  /// The number of snapshots that are announced to a remote store at once.
  private static let announced = 1024
  let repository: Repository
  /// The file in which this machine keeps changes of the source; `nil` if it keeps none.
  let file: ChangeFile?
  /// The number of snapshots of the source.
  let existing: Int

  /// The result of reading one snapshot.
  private struct Reading: Sendable {
    let outcome: Outcome
    /// All of its changes, if they are to be kept.
    var list: ChangeList?
  }

  /// Calls `body` with the changes of each snapshot, in their order.
  func forEach(_ snapshots: [SnapshotOutline], _ wanted: WantedPaths, _ body: (Int, Outcome) -> Void) throws {
    for start in stride(from: 0, to: snapshots.count, by: Self.announced) {
      let some = start..<min(start + Self.announced, snapshots.count)
      repository.store.prefetch(
        snapshots[some].filter { file?.keeps($0) != true }.map { ($0.bodyKey, $0.body.length) })
      let batches = stride(from: some.lowerBound, to: some.upperBound, by: Self.batch).map { first in
        first..<min(first + Self.batch, some.upperBound)
      }
      let readings = try batches.mapInParallel(workers: repository.host.workers, batch: 1) { [self] range in
        let scratch = FrameScratch()
        return try range.map { try read(snapshots[$0], wanted, scratch) }
      }
      var new: [(SnapshotOutline, ChangeList)] = []
      for (number, reading) in zip(some, readings.joined()) {
        if let list = reading.list { new.append((snapshots[number], list)) }
        body(number, reading.outcome)
      }
      file?.keep(new, existing: existing)
    }
  }

  private func read(
    _ snapshot: SnapshotOutline, _ wanted: WantedPaths, _ scratch: FrameScratch
  ) throws -> Reading {
    try repository.host.cancellation.check()
    if let kept = file?.changes(of: snapshot), let found = try? kept.changes(where: wanted.contains) {
      return Reading(outcome: .success(found))
    }
    do {
      let last = wanted.last
      var list = file.map { _ in ChangeList() }
      var found: [Change] = []
      let body = try repository.containers.open(.body, snapshot.bodyKey, snapshot.body)
      let reader = BodyReader(body, scratch: scratch)
      while let change = try reader.next() {
        if list == nil, let last, last < change.path { break }
        if wanted.contains(change.path) { found.append(change) }
        list?.append(change)
        if let count = list?.bytes.count, count > ChangeFile.changesBytesMax { list = nil }
      }
      return Reading(outcome: .success(found), list: list)
    } catch let damage as DamageError {
      return Reading(outcome: .failure(damage))
    }
  }
}

extension SnapshotOutline {
  var bodyKey: String { Keys.body(source, sequence, body.id) }
}
