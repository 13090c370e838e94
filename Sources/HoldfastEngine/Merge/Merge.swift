package import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Makes the chain of a snapshot into a new full, or the end of it into one increment, from the repository alone: finds
/// what differs from the state that the new snapshot builds on, moves the pages of that into new archives, writes the
/// changes as a body, proves it, and commits. The new snapshot stands for the original: it has its state and its times.
package struct Merge {
  package struct Options: Sendable {
    package var snapshot: SnapshotSelector
    /// The snapshot that the merged one builds on.
    package var base = MergeBase.nothing
    /// The compression of frames that cannot be carried over.
    package var compression = Compression.standard
    /// Returns the share of lost pages that a new full of a source can repair by itself; `nil` for the share of the
    /// snapshot.
    package var parity: @Sendable (SourceName) -> ParityShare? = { _ in nil }
    /// True if the merge is only planned.
    package var isDryRun = false
    /// True if the merge waits for another run on the same source.
    package var waitsForLock = false
    /// The bytes of memory for each of the two lists of extents; beyond that they go to a scratch file.
    package var listBytes = 16 << 20

    package init(_ snapshot: SnapshotSelector) { self.snapshot = snapshot }
  }

  package struct Report: Sendable {
    /// The snapshot that was merged, with its chain.
    package let chain: Chain
    /// The snapshot that the merged one builds on; `nil` for a full.
    package let parent: Snapshot?
    /// The merged snapshot; `nil` if there was nothing to merge, and in a dry run.
    package let envelope: Envelope?
    /// The plan; `nil` if there was nothing to merge.
    package let plan: MergePlan?
    package let duration: TimeSpan
    package let isDryRun: Bool

    /// The snapshots that are merged, the oldest first.
    package var merged: ArraySlice<Snapshot> {
      chain.snapshots.drop { [sequence = parent?.sequence ?? 0] in $0.sequence <= sequence }
    }
  }

  private let repository: Repository
  private let options: Options
  private let cache: StateCache
  private let progress: any ProgressObserver
  private let host: Host

  package init(repository: Repository, options: Options, cache: StateCache, progress: any ProgressObserver) {
    self.repository = repository
    self.options = options
    self.cache = cache
    self.progress = progress
    self.host = repository.host
  }

  package func run() throws -> Report {
    let begun = host.clock.uptime()
    let writer = try repository.keyring.writer()
    let name = try choose { progress.warn($0.message) }.sourceName
    let lease =
      try options.isDryRun ? nil : Lease.take(on: name, of: repository, waits: options.waitsForLock, progress: progress)
    defer { lease?.end() }
    try lease?.settleRole(of: name, in: repository)
    let newest = try repository.catalog.newestSnapshot(of: name, removingLeftoversUnder: lease, progress: progress)
    if !options.isDryRun, let newest { try repository.store.settle(below: Keys.snapshot(name, newest.sequence)) }

    // Chosen again under the lease: the latest snapshot may be another one by now.
    let chain = try repository.catalog.chain(to: try choose { _ in })
    try checkKeys(to: chain)
    let parents = try options.base.parents(in: chain, repository)
    func report(_ envelope: Envelope?, _ plan: MergePlan?) -> Report {
      Report(
        chain: chain, parent: parents?.tip, envelope: envelope, plan: plan, duration: host.clock.uptime() - begun,
        isDryRun: options.isDryRun)
    }
    guard try isWorthwhile(chain, parents) else { return report(nil, nil) }
    try repository.containers.checkPresence(of: chain, .anywhere)
    // Pages in older archives stay there, and are not read.
    let firstArchive = parents?.nextArchiveNumber ?? 0
    try repository.containers.checkReadable(
      chain.archiveKeys(of: Set(chain.archives.map(\.number).filter { $0 >= firstArchive })))
    let states = MergedStates(repository: repository, cache: cache, key: writer?.cacheKey)
    let work = try Work(
      chain: chain, parents: parents,
      state: states.state(of: chain, isFromRepository: parents == nil || repository.keyring.isSealed),
      base: parents.map { try states.state(of: $0) } ?? .empty())
    let extents = try StoredExtents(
      of: work.changes(), from: work.firstArchive, repository.containers.scratch, memoryBytes: options.listBytes,
      cancellation: host.cancellation)
    let readers = ArchiveReaders(chain, in: repository.containers)
    readers.expect(chain.archives.map(\.number).filter { $0 >= work.firstArchive })
    let plan = try MergePlan(extents, readers: readers, cancellation: host.cancellation)
    var envelope: Envelope?
    if let lease {
      progress.begin(phase: "merging", totalBytes: plan.readBytes)
      envelope = try lease.whileHeld {
        try execute(plan, work, extents, readers, newest: newest, writer: writer, lease)
      }
    }
    return report(envelope, plan)
  }

  /// A merge whose states are known.
  private struct Work {
    /// The chain of the original, of which `parents` is the beginning; `nil` for a full.
    let chain: Chain
    let parents: Chain?
    let state: StateFile
    /// The state of the parent; empty for a full.
    let base: StateFile

    /// The number of the first archive whose pages are moved, and of the first one that is made.
    var firstArchive: UInt64 { parents?.nextArchiveNumber ?? 0 }

    func changes() throws -> StateDifference { try StateDifference(from: base, to: state) }
  }

  // MARK: Choice

  private func choose(onDamage: (DamageError) -> Void) throws -> Snapshot {
    try options.snapshot.choose(in: repository.catalog, onDamage: onDamage)
  }

  /// Checks that there is a key for every frame: a merge opens all of them, because it verifies every page.
  private func checkKeys(to chain: Chain) throws {
    guard let sealed = repository.keyring.sealed, try !sealed.opens(chain.tip) else { return }
    let refusal = try sealed.refusal(
      wanted: sealed.revision(of: chain.tip).recipients.map(\.id), isNamed: !sealed.identities().isEmpty)
    throw KeyError(
      refusal.message,
      hint: "A merge opens and proves every page, so it runs where such a key is. " + (refusal.hint ?? ""))
  }

  /// Returns true if a merge changes anything. A full is merged only to seal it to other recipients.
  private func isWorthwhile(_ chain: Chain, _ parents: Chain?) throws -> Bool {
    if let parents { return chain.snapshots.count > parents.snapshots.count + 1 }
    guard case .nothing = options.base else { return false }
    guard chain.snapshots.count == 1 else { return true }
    return try !repository.keyring.hasSameRecipients(as: chain.full)
  }

  // MARK: Execution

  private func execute(
    _ plan: MergePlan, _ work: Work, _ extents: StoredExtents, _ readers: ArchiveReaders, newest: Snapshot?,
    writer: WriterKey?, _ lease: Lease
  ) throws -> Envelope {
    let (original, summary) = (work.chain.tip, work.state.summary)
    let draft = try SnapshotDraft(
      repository: repository, name: original.sourceName, label: repository.containers.openBody(of: original).label(),
      newest: newest, firstArchive: work.firstArchive, compression: options.compression,
      gatheredBytes: Limits.archiveFrameBytes,
      parity: options.parity(original.sourceName) ?? original.envelope.parity?.share ?? .none, under: lease)
    let mismatch = EngineError(
      .machine, "the merged manifest does not give back the state of \(original.id.short); nothing was committed",
      hint: "Check this machine's memory, and run the same command again. Please report it.")

    let moved = MovedExtents(repository.containers.scratch, memoryBytes: options.listBytes)
    var mover = try FrameMover(
      readers: readers, archives: draft.archives, moved: moved, host: host, compression: options.compression,
      progress: progress)
    try mover.move(extents)
    try moved.finish()
    let body = MergedBody(
      body: draft.body, cancellation: host.cancellation, firstMoved: work.firstArchive, lost: mismatch)
    var changes = try body.write(work.changes(), at: moved)
    (changes.pages, changes.pageBytes) = (plan.pages, plan.pageBytes)
    let archives = try draft.archives.finish()
    var envelope = envelope(of: work, draft, archives: archives, body: try draft.body.finish(), changes)
    envelope.lease = lease.number

    // If the original is not the newest, no snapshot builds on the merged one, and the cache of the newest is still
    // needed.
    let isNewest = newest.map { $0.standsFor <= original.standsFor } ?? true
    let commit = SnapshotCommit(
      repository: repository, lease: lease, draft: draft, writer: writer, path: nil, cache: isNewest ? cache : nil,
      isCacheInSource: try repository.containers.sourceOrigin(of: original)?.directory.map(cache.lies) ?? false,
      progress: progress)
    try commit.run(
      envelope, state: summary, parent: work.parents == nil ? nil : work.base, chain: work.parents, mismatch: mismatch)
    return envelope
  }

  private func envelope(
    of work: Work, _ draft: SnapshotDraft, archives: [Envelope.Archive], body: ObjectReference,
    _ changes: Envelope.Changes
  ) -> Envelope {
    let original = work.chain.tip
    var envelope = Envelope(
      repository: repository.id, snapshot: draft.snapshot, source: original.envelope.source,
      sequence: draft.sequence, kind: work.parents == nil ? .full : .incremental, parent: work.parents?.tip.asParent,
      time: original.envelope.time, archives: archives, body: body,
      state: work.state.summary.recorded(under: draft.bodyHead.key), changes: changes,
      consistency: original.envelope.consistency, incomplete: original.envelope.incomplete,
      program: Program.nameAndVersion, postgres: original.envelope.postgres,
      parity: draft.parity, keyring: repository.keyring.reference,
      merged: Envelope.Merge(standingFor: original, at: RecordedTime(host.clock.now())))
    guard work.parents == nil else { return envelope }
    // The density of the source when all of it was captured: later fulls are compared with it.
    envelope.comparison = work.chain.full.envelope.comparison
    envelope.comparison?.anomalies = []
    return envelope
  }
}

extension Envelope.Merge {
  /// Makes the merge of a snapshot. The merge of a merged snapshot stands for the same one as that.
  fileprivate init(standingFor original: Snapshot, at time: RecordedTime) {
    self =
      original.envelope.merged
      ?? Envelope.Merge(
        snapshot: original.id, sequence: original.sequence, digest: original.digest, time: time)
    self.time = time
  }
}
