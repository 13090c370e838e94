internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The archived WAL that a prune removes: segments that end before the beginning of every remaining snapshot. No
/// recovery can use them.
///
/// Where timelines branch is sealed in a sealed repository. So all segments of a timeline are kept as long as there is
/// a snapshot on an older one, whose recovery may lead there.
package struct WALRetention {
  /// The position at which recovery from a snapshot begins.
  package struct Start: Hashable {
    let timeline: UInt32
    let lsn: LogSequenceNumber

    package init(timeline: UInt32, lsn: LogSequenceNumber) { (self.timeline, self.lsn) = (timeline, lsn) }
  }

  private let starts: [Start]

  package init(_ starts: [Start]) { self.starts = starts }

  /// - Parameter snapshots: all remaining snapshots; those of other clusters are ignored.
  init(_ snapshots: [Snapshot], of system: SystemIdentifier) {
    starts = snapshots.compactMap(\.envelope.postgres).filter { $0.system == system.description }.map {
      Start(timeline: $0.timeline, lsn: $0.start)
    }
  }

  /// The position before which nothing of a timeline is needed; `nil` when all of it is kept.
  package func floor(of timeline: UInt32) -> LogSequenceNumber? {
    if starts.contains(where: { $0.timeline < timeline }) { return nil }
    let own = starts.filter { $0.timeline == timeline }
    return (own.isEmpty ? starts : own).map(\.lsn).min()
  }
}

extension Prune {
  /// What is removed, or would be, of the archived WAL of one cluster.
  package struct LogReport: Sendable, Hashable {
    package let source: SourceName
    package let system: SystemIdentifier
    package internal(set) var files = 0
    /// Number of damaged copies of files that stay, of which another copy is sound.
    package internal(set) var damagedCopies = 0
    /// The bytes of all of them in the repository.
    package internal(set) var bytes: UInt64 = 0
  }
}

/// Removes archived WAL files according to `WALRetention`, and leftovers of killed pushes; timeline histories stay. All
/// WAL of a former cluster, which was made anew under the same name, is removed when no snapshot of it is left and a
/// snapshot of another cluster is newer than all of it. Damaged copies are removed when another copy is sound. Runs
/// under the lease of the source, which pushes do not hold.
struct WALPrune {
  let repository: Repository
  let source: SourceName
  /// The remaining snapshots.
  let snapshots: [Snapshot]
  /// Under which it is removed; `nil` for a dry run.
  let lease: Lease?

  func run() throws -> [Prune.LogReport] {
    let archive = WALArchive(repository, of: source)
    return try archive.systems().compactMap { system in
      if lease != nil { try WALLeftovers(archive).collect(of: system) }
      let retention = WALRetention(snapshots, of: system)
      let inventory = try WALInventory(archive, system)
      var report = Prune.LogReport(source: source, system: system)
      if try isFormer(inventory) {
        for file in inventory.files { try remove(file, of: archive, system, &report) }
        return report.files == 0 ? nil : report
      }
      guard let size = inventory.size else { return nil }
      var removed: Set<WALFileName> = []
      for file in inventory.files where file.kind != .timelineHistory {
        guard let floor = retention.floor(of: file.timeline), let number = file.number(size),
          size.start(of: number + 1) <= floor
        else { continue }
        removed.insert(file)
        try remove(file, of: archive, system, &report)
      }
      try removeDamaged(of: archive, system, but: removed, &report)
      return report.files + report.damagedCopies == 0 ? nil : report
    }
  }

  /// Nearly every file has one copy; for the others all copies are read. Copies of files that may differ stay, because
  /// none is a copy of another.
  private func removeDamaged(
    of archive: WALArchive, _ system: SystemIdentifier, but removed: Set<WALFileName>, _ report: inout Prune.LogReport
  ) throws {
    let copies = Dictionary(grouping: try archive.allCopies(of: system), by: \.file)
    for (file, copies) in copies where copies.count > 1 && !file.mayDiffer && !removed.contains(file) {
      let damaged = try copies.map(\.copy).filter { try isDamaged(file, $0, archive, system) }
      guard damaged.count < copies.count else { continue }
      report.damagedCopies += damaged.count
      for copy in damaged { try remove(file, copy, of: archive, system, &report) }
    }
  }

  private func isDamaged(
    _ file: WALFileName, _ copy: UInt64, _ archive: WALArchive, _ system: SystemIdentifier
  ) throws -> Bool {
    do {
      try archive.find(file, of: system, copy: copy).map { try archive.prove($0) }
      return false
    } catch is DamageError {
      return true
    }
  }

  /// A cluster whose first snapshot is still to come has log that is newer than the snapshots of others.
  private func isFormer(_ inventory: WALInventory) throws -> Bool {
    let clusters = snapshots.compactMap { snapshot in
      snapshot.envelope.postgres.map { (system: $0.system, started: TimeText.parse(snapshot.envelope.time.started)) }
    }
    guard let newest = clusters.compactMap(\.started).max(),
      !clusters.contains(where: { $0.system == inventory.system.description })
    else { return false }
    // The last one most likely decides; what cannot be read may be of any time.
    return try inventory.files.reversed().allSatisfy { file in
      do {
        return try TimeText.parse(inventory.archived(file).manifest.time).map { $0 < newest } ?? false
      } catch  where !error.isTransient {
        return false
      }
    }
  }

  /// Removes the manifest first, so that at every moment there is either a complete file or nothing that counts.
  private func remove(
    _ file: WALFileName, of archive: WALArchive, _ system: SystemIdentifier, _ report: inout Prune.LogReport
  ) throws {
    try repository.host.cancellation.check()
    report.files += 1
    for copy in try archive.copies(of: system, in: file.directory)[file] ?? [] {
      try remove(file, copy, of: archive, system, &report)
    }
  }

  private func remove(
    _ file: WALFileName, _ copy: UInt64, of archive: WALArchive, _ system: SystemIdentifier,
    _ report: inout Prune.LogReport
  ) throws {
    let manifest = try manifest(of: file, copy, archive, system)
    report.bytes = report.bytes.saturatingAdding(manifest?.object.length ?? 0)
    guard let lease else { return }
    try lease.checkHeld()
    try repository.store.remove(Keys.walManifest(source, system, file, copy: copy))
    if let manifest { try repository.store.remove(manifest.objectKey) }
  }
  /// `nil` where it is damaged.
  private func manifest(
    of file: WALFileName, _ copy: UInt64, _ archive: WALArchive, _ system: SystemIdentifier
  ) throws -> WALManifest? {
    do {
      return try archive.find(file, of: system, copy: copy)?.manifest
    } catch  where !error.isTransient {
      return nil
    }
  }
}
