package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem

/// The archived WAL of each cluster, and the end of what recovery can reach with it.
package struct WALStatus {
  package struct Gap: Sendable, Hashable {
    package let first: WALFileName
    package let last: WALFileName
    package let count: UInt64
  }

  package struct Timeline: Sendable {
    package let timeline: UInt32
    package let first: WALFileName
    package let last: WALFileName
    package let count: UInt64
    package let storedBytes: UInt64
    package let gaps: [Gap]
    /// The end of the last transaction; `nil` when none is archived, or nobody here can read it.
    package let lastTransaction: Timestamp?
  }

  /// The end of what recovery can reach from a snapshot.
  package struct Reach: Sendable {
    package let snapshot: Snapshot
    /// The timeline at the end; `nil` if the log that the snapshot needs is not archived, or cannot be read here.
    package let timeline: UInt32?
    /// The end of the last record that can be reached.
    package let end: LogSequenceNumber?
    package let lastTransaction: Timestamp?
    /// The missing segment, if the log has a gap.
    package let missing: WALFileName?
    /// The beginning of a part of the log that was written with `wal_level = minimal`, which no server replays.
    package let minimalFrom: LogSequenceNumber?
    /// The position at which the records become invalid, although more is archived.
    package let brokenAt: LogSequenceNumber?
  }

  package struct Log: Sendable {
    package let source: SourceName
    package let system: SystemIdentifier
    package let timelines: [Timeline]
    package let snapshots: [Reach]
    /// The number of files that are no whole segment, such as timeline histories, backup history files and unfinished
    /// segments.
    package let otherFiles: UInt64
    /// True if it is sealed and no identity opens it here: then times are not known.
    package let isClosed: Bool
  }

  private let repository: Repository
  /// Gets damage that is found; everything else is reported nevertheless.
  private let onDamage: (DamageError) -> Void

  package init(_ repository: Repository, onDamage: @escaping (DamageError) -> Void) {
    self.repository = repository
    self.onDamage = onDamage
  }

  /// Returns the status of each archived log.
  /// - Parameter name: one source; `nil` for all.
  package func run(_ name: SourceName?) throws -> [Log] {
    let sources = try repository.catalog.loggedSourceNames()
    let name = try name.map { try repository.names.source($0) }
    if let name, !sources.contains(name) {
      throw EngineError(
        .usage, "no write-ahead log is archived for \(name)",
        hint: "Set archive_command = 'holdfast wal push %p --name \(name)' and archive_mode = on in postgresql.conf.")
    }
    return try (name.map { [$0] } ?? sources).flatMap { source in
      let archive = WALArchive(repository, of: source)
      return try archive.systems().map { try status(of: archive, $0) }
    }
  }

  private func status(of archive: WALArchive, _ system: SystemIdentifier) throws -> Log {
    let isClosed = try !repository.keyring.hasIdentity()
    let inventory = try WALInventory(archive, system)
    let timelines = try inventory.numbers.keys.sorted().compactMap {
      try timeline($0, inventory, isClosed: isClosed)
    }
    let snapshots = try clusterSnapshots(of: archive.source, system)
    return Log(
      source: archive.source, system: system, timelines: timelines,
      snapshots: try snapshots.map { try reach(of: $0, inventory, isClosed: isClosed) },
      otherFiles: UInt64(inventory.files.count { $0.kind != .segment }), isClosed: isClosed)
  }

  private func timeline(_ timeline: UInt32, _ inventory: WALInventory, isClosed: Bool) throws -> Timeline? {
    let files = inventory.files.filter { $0.kind == .segment && $0.timeline == timeline }
    guard let first = files.first, let last = files.last else { return nil }
    var storedBytes: UInt64 = 0
    for file in files {
      try repository.host.cancellation.check()
      try noting(inventory) {
        storedBytes = storedBytes.saturatingAdding(try inventory.archived(file).manifest.object.length)
      }
    }
    var latest: Timestamp?
    for file in files.reversed() where latest == nil && !isClosed {
      try noting(inventory) { latest = try inventory.noted(file)?.latest }
    }
    return Timeline(
      timeline: timeline, first: first, last: last, count: UInt64(files.count), storedBytes: storedBytes,
      gaps: inventory.gaps(on: timeline).map { Gap(first: $0.first, last: $0.last, count: $0.count) },
      lastTransaction: latest)
  }

  private func noting(_ inventory: WALInventory, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let damage as DamageError {
      onDamage(damage)
    } catch let error as any OperatorError where error.isDamage {
      onDamage(DamageError(Keys.wal(inventory.archive.source, inventory.system), error.message))
    }
  }

  private func clusterSnapshots(of source: SourceName, _ system: SystemIdentifier) throws -> [Snapshot] {
    guard try repository.catalog.isKnown(source) else { return [] }
    return try repository.catalog.allSnapshots(of: source) { onDamage($0) }.filter {
      $0.envelope.postgres?.system == system.description
    }
  }

  private func reach(of snapshot: Snapshot, _ inventory: WALInventory, isClosed: Bool) throws -> Reach {
    var result = Reach(
      snapshot: snapshot, timeline: nil, end: nil, lastTransaction: nil, missing: nil, minimalFrom: nil, brokenAt: nil)
    guard !isClosed, let size = inventory.size, let cluster = snapshot.envelope.postgres else { return result }
    try noting(inventory) {
      let history = try inventory.newestHistory(from: cluster.timeline, upTo: cluster.stop)
      let path = RecoveryPath(inventory, history, size, from: cluster.start)
      guard let reach = try path.reach(from: cluster.start) else { return }
      var (minimalFrom, brokenAt): (LogSequenceNumber?, LogSequenceNumber?) = (nil, nil)
      switch reach.barrier {
      case .minimal(let parameters): minimalFrom = parameters.lsn
      case .broken(let lsn, _): brokenAt = lsn
      case nil: break
      }
      let isWhole = reach.end >= cluster.stop
      result = Reach(
        snapshot: snapshot, timeline: isWhole ? path.files.last?.timeline : nil, end: isWhole ? reach.end : nil,
        lastTransaction: isWhole ? reach.latest : nil,
        missing: path.later == nil || reach.barrier != nil || !isWhole ? nil : path.missing,
        minimalFrom: isWhole ? minimalFrom : nil, brokenAt: brokenAt)
    }
    return result
  }
}
