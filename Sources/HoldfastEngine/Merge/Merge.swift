package import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Makes the chain of a snapshot into a new full, from the repository alone: replays the chain, moves its live pages
/// into new archives, writes the state as the body of a full, proves it, and commits. The full stands for the snapshot:
/// it has its state, its times and its notes.
package struct Merge {
  package struct Options: Sendable {
    package var snapshot: SnapshotSelector
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
    /// The new full; `nil` if there was nothing to merge, and in a dry run.
    package let envelope: Envelope?
    /// The plan; `nil` if there was nothing to merge.
    package let plan: MergePlan?
    package let duration: TimeSpan
    package let isDryRun: Bool
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
    guard try isWorthwhile(chain) else {
      return Report(
        chain: chain, envelope: nil, plan: nil, duration: host.clock.uptime() - begun, isDryRun: options.isDryRun)
    }
    try repository.containers.checkPresence(of: chain, .anywhere)
    try repository.containers.checkReadable(chain.snapshots.flatMap(\.archiveKeys))
    let state = try repository.containers.replay(chain)
    let extents = try StoredExtents(
      of: state, repository.containers.scratch, memoryBytes: options.listBytes, cancellation: host.cancellation)
    let readers = ArchiveReaders(chain, in: repository.containers)
    readers.expect(chain.archives.map(\.number))
    let plan = try MergePlan(extents, readers: readers, cancellation: host.cancellation)
    var envelope: Envelope?
    if let lease {
      progress.begin(phase: "merging", totalBytes: plan.readBytes)
      envelope = try lease.whileHeld {
        try execute(plan, chain, state, extents, readers, newest: newest, writer: writer, lease)
      }
    }
    return Report(
      chain: chain, envelope: envelope, plan: plan, duration: host.clock.uptime() - begun,
      isDryRun: options.isDryRun)
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
  private func isWorthwhile(_ chain: Chain) throws -> Bool {
    guard chain.snapshots.count == 1 else { return true }
    return try !repository.keyring.hasSameRecipients(as: chain.full)
  }

  // MARK: Execution

  private func execute(
    _ plan: MergePlan, _ chain: Chain, _ state: StateFile, _ extents: StoredExtents, _ readers: ArchiveReaders,
    newest: Snapshot?, writer: WriterKey?, _ lease: Lease
  ) throws -> Envelope {
    let original = chain.tip
    let draft = try SnapshotDraft(
      repository: repository, name: original.sourceName, label: repository.containers.openBody(of: original).label(),
      newest: newest, firstArchive: 0, compression: options.compression, gatheredBytes: Limits.archiveFrameBytes,
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
    try MergedBody(body: draft.body, cancellation: host.cancellation, lost: mismatch).write(state, at: moved)
    let archives = try draft.archives.finish()
    var envelope = envelope(
      of: chain, draft, archives: archives, body: try draft.body.finish(), state: state.summary, plan)
    envelope.lease = lease.number

    // If the original is not the newest, no snapshot builds on the merged full, and the cache of the newest is still
    // needed.
    let isNewest = newest.map { $0.standsFor <= original.standsFor } ?? true
    let commit = SnapshotCommit(
      repository: repository, lease: lease, draft: draft, writer: writer, path: nil, cache: isNewest ? cache : nil,
      isCacheInSource: try repository.containers.sourceOrigin(of: original)?.directory.map(cache.lies) ?? false,
      progress: progress)
    try commit.run(envelope, state: state.summary, parent: nil, chain: nil, mismatch: mismatch)
    return envelope
  }

  private func envelope(
    of chain: Chain, _ draft: SnapshotDraft, archives: [Envelope.Archive], body: ObjectReference,
    state: Envelope.State, _ plan: MergePlan
  ) -> Envelope {
    let original = chain.tip
    var changes = Envelope.Changes()
    (changes.added, changes.pages, changes.pageBytes) = (state.entries, plan.pages, plan.pageBytes)
    var envelope = Envelope(
      repository: repository.id, snapshot: draft.snapshot, source: original.envelope.source,
      sequence: draft.sequence, kind: .full, parent: nil, time: original.envelope.time, archives: archives, body: body,
      state: state.recorded(under: draft.bodyHead.key), changes: changes,
      consistency: original.envelope.consistency, incomplete: original.envelope.incomplete,
      program: Program.nameAndVersion, postgres: original.envelope.postgres,
      parity: draft.parity, keyring: repository.keyring.reference)
    // The density of the source when all of it was captured: later fulls are compared with it.
    envelope.comparison = chain.full.envelope.comparison
    envelope.comparison?.anomalies = []
    envelope.merged = Envelope.Merge(standingFor: original, at: RecordedTime(host.clock.now()))
    return envelope
  }
}

extension Envelope.Merge {
  /// Makes the merge of a snapshot. The merge of a merged full stands for the same snapshot as that full.
  fileprivate init(standingFor original: Snapshot, at time: RecordedTime) {
    self =
      original.envelope.merged
      ?? Envelope.Merge(
        snapshot: original.id, sequence: original.sequence, digest: original.digest, time: time)
    self.time = time
  }
}
