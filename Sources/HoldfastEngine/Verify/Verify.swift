package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Verifies that snapshots can be restored: always their structure, chain and presence; with `readsData` also every
/// stored byte, read by the code of a restore. It reads from the store itself, because the caches of this machine prove
/// nothing.
package struct Verify {
  package struct Options: Sendable {
    package var readsData = false
    /// The share of the frames that is read, 0 to 1.
    package var share = 1.0
    /// The beginning of that share in the fixed order of all stored objects, 0 to 1; `nil` for a random share.
    package var begin: Double?
    /// The ID or manifest digest, or the beginning of one, of a snapshot that must be the newest of its source.
    package var expectedHead: String?
    package init() {}
  }

  /// A fault of a snapshot or of an archived WAL.
  package struct Finding: Sendable, Hashable {
    package let message: String
    /// True if a snapshot or a WAL file loses data by it.
    package let costsData: Bool
    /// True if a segment of an archived WAL is missing.
    package var isGap = false
    /// True if a scrub can write anew what is damaged, because of parity.
    package var isOfParity = false

    /// The exit status of a verify that finds nothing worse.
    package var exitStatus: ExitStatus { costsData ? .dataLoss : .repairableDamage }
  }

  /// A finding about an object that belongs to no snapshot and no archived WAL.
  package struct OtherFinding: Sendable, Hashable {
    package enum Level: Sendable {
      /// Nothing is lost, and nothing reads the object.
      case note
      /// It is damaged, and no data is lost by it.
      case repairable
      /// Snapshots are missing or may be missing.
      case dataLoss
    }
    package let level: Level
    /// The key of the object.
    package let object: String
    package let message: String

    /// The exit status of a verify that finds nothing worse.
    package var exitStatus: ExitStatus {
      switch level {
      case .note: .done
      case .repairable: .repairableDamage
      case .dataLoss: .dataLoss
      }
    }
  }

  package struct SnapshotResult: Sendable {
    package let snapshot: Snapshot
    package internal(set) var findings: [Finding] = []
    /// The first files that cannot be restored whole.
    package internal(set) var damagedFiles: [Path] = []
    package internal(set) var duration = TimeSpan.zero
    package internal(set) var provenBytes: UInt64 = 0
    /// True if no identity here opens it, or a snapshot that it builds on: then signature, digests and presence were
    /// verified, but no plain byte.
    package internal(set) var isClosed = false
    package var isSound: Bool { !findings.contains { $0.costsData } }
  }

  package struct Report: Sendable {
    package internal(set) var snapshots: [SnapshotResult] = []
    /// The envelopes that could not be read at all.
    package internal(set) var unreadable: [DamageError] = []
    /// The archived WAL of PostgreSQL clusters; empty if one snapshot was asked for.
    package internal(set) var logs: [LogResult] = []
    /// The findings about other objects; empty if one snapshot was asked for.
    package internal(set) var others: [OtherFinding] = []
    package internal(set) var provenBytes: UInt64 = 0
    package internal(set) var provenFrames: UInt64 = 0
    package internal(set) var duration = TimeSpan.zero
    /// True if the repository is sealed and there was no identity: then no snapshot was opened.
    package internal(set) var isClosed = false

    /// True if a scrub can write anew something that is damaged, because of parity.
    package var isRepairableFromParity: Bool { snapshots.contains { $0.findings.contains(where: \.isOfParity) } }

    package var exitStatus: ExitStatus {
      let findings = snapshots.flatMap(\.findings) + logs.flatMap(\.findings)
      return .worst(of: unreadable.map(\.exitStatus) + findings.map(\.exitStatus) + others.map(\.exitStatus))
    }
  }

  private let repository: Repository
  private let options: Options
  private let progress: any ProgressObserver

  package init(repository: Repository, options: Options, progress: any ProgressObserver) {
    self.repository = repository.uncached
    self.options = options
    self.progress = progress
  }

  /// - Parameters:
  ///   - snapshot: a snapshot, with every snapshot that it builds on; `nil` for all.
  ///   - source: the only source to verify; `nil` for all.
  package func run(_ snapshot: Snapshot?, source: SourceName? = nil) throws -> Report {
    let begun = repository.host.clock.uptime()
    let source = try source.map { try repository.names.source($0) }
    var report = Report()
    report.isClosed = try !repository.keyring.hasIdentity()
    let all =
      try snapshot == nil
      ? repository.catalog.allSnapshots(of: source, includingRemoved: true, includingDiverged: true) {
        report.unreadable.append($0)
      } : []
    let snapshots = try snapshot.map { try repository.catalog.chain(to: $0).snapshots } ?? notRemoved(all)
    if !report.isClosed { try checkIdentities(for: snapshots) }
    if let expected = options.expectedHead {
      try check(expectedHead: expected, source: source) { report.unreadable.append($0) }
    }
    // Archives of a sealed repository are always opened, to check their recipients.
    if options.readsData || repository.keyring.isSealed {
      try repository.containers.checkReadable(snapshots.flatMap(\.archiveKeysHeld))
    }
    let total = snapshots.reduce(UInt64(0)) {
      $0.saturatingAdding(options.readsData ? $1.envelope.storedBytes : $1.envelope.body.length)
    }
    let isSampled = options.readsData && options.share < 1
    progress.begin(
      phase: "verifying", totalBytes: isSampled ? UInt64(saturating: Double(total) * options.share) : total)
    var walk = VerifyWalk(repository: repository, options: options, progress: progress)
    // Objects that belong to no snapshot are checked meanwhile.
    let others =
      snapshot != nil
      ? nil
      : repository.store.meanwhile { [repository] in
        var rest = VerifyRest(repository)
        return try rest.run(source, all)
      }
    for (index, listed) in snapshots.enumerated() {
      let result = try walk.verify(listed, before: index + 1 < snapshots.count ? snapshots[index + 1] : nil)
      // A snapshot that a prune has removed meanwhile is no damage. One that was asked for is reported in any case.
      if try result.isSound || snapshot != nil || !isRemovedNow(listed) { report.snapshots.append(result) }
    }
    if let others {
      let known = Set(report.unreadable.map(\.object))
      report.others = try others.value().filter { !known.contains($0.object) }
      do {
        report.logs = try WALVerify(repository: repository, options: options, progress: progress).run(source)
      } catch let damage as DamageError {
        if !report.others.contains(where: { $0.object == damage.object }) { report.unreadable.append(damage) }
      }
    }
    addRepaired(to: &report)
    report.provenBytes = walk.provenBytes
    report.provenFrames = walk.provenFrames
    report.duration = repository.host.clock.uptime() - begun
    return report
  }

  /// Adds a finding for each container that is damaged, and was read with its parity.
  private func addRepaired(to report: inout Report) {
    for key in repository.containers.parityUses.takeUntold() {
      let message = ParityUses.message(key)
      let owner = report.snapshots.map(\.snapshot).firstIndex {
        key.hasPrefix(Keys.snapshot($0.sourceName, $0.sequence))
      }
      if let owner {
        report.snapshots[owner].findings.append(Finding(message: message, costsData: false, isOfParity: true))
      } else {
        report.others.append(OtherFinding(level: .repairable, object: key, message: message))
      }
    }
  }

  private func isRemovedNow(_ snapshot: Snapshot) throws -> Bool {
    repository.store.refresh()
    return try repository.notes.read(snapshot.sourceName).removal(of: snapshot) != nil
  }

  private func notRemoved(_ snapshots: [Snapshot]) throws -> [Snapshot] {
    let notes = try Dictionary(
      uniqueKeysWithValues: Set(snapshots.map(\.sourceName)).map { ($0, try repository.notes.read($0)) })
    return snapshots.filter { notes[$0.sourceName]?.removal(of: $0) == nil }
  }

  /// Refuses identities that open none of the snapshots: they are the wrong ones. After a change of recipients, it
  /// takes several identities to open all chains.
  private func checkIdentities(for snapshots: [Snapshot]) throws {
    guard let sealed = repository.keyring.sealed, let newest = snapshots.last else { return }
    guard try snapshots.contains(where: { try sealed.opens($0) }) else {
      throw sealed.refusal(wanted: try sealed.revision(of: newest).recipients.map(\.id), isNamed: true)
    }
  }

  private func check(expectedHead: String, source: SourceName?, onDamage: (DamageError) -> Void) throws {
    guard let pin = Pin(expectedHead) else {
      throw EngineError(
        .usage,
        "\"\(expectedHead.isEmpty ? "" : Path(expectedHead).description)\" is not the whole ID of a snapshot, nor the digest of its manifest: fewer digits than \(Pin.digitsMin) can be met by another",
        hint: "Say the ID that `holdfast show` and `holdfast backup --json` report.", exitStatus: .usage)
    }
    let heads = Dictionary(
      grouping: try repository.catalog.allSnapshots(of: source) { _ in }, by: \.sourceName
    ).compactMap { $0.value.max(by: Snapshot.isOlder) }
    guard !heads.contains(where: { pin.fits($0.id) || pin.fits($0.digest) }) else { return }
    let found = heads.sorted { $0.sourceName < $1.sourceName }.map { "\($0.id.short) of \($0.sourceName)" }
    onDamage(
      DamageError(
        "the repository",
        "the newest snapshot is not \(Path(expectedHead)), as expected, but "
          + (found.isEmpty ? "there is none" : found.joined(separator: ", "))))
  }
}
