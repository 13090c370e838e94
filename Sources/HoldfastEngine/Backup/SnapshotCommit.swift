internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The last steps of every run that makes a snapshot: it proves by replay that the new manifest gives the expected
/// state, makes the snapshot exist, and keeps its state for the next run.
struct SnapshotCommit {
  let repository: Repository
  /// The lease under which the snapshot is made: nobody else adds to the source.
  let lease: Lease
  let draft: SnapshotDraft
  let writer: WriterKey?
  /// The path of the source, if this run has seen it.
  let path: Path?
  /// The cache for the state; `nil` if no run will build on this snapshot.
  let cache: StateCache?
  /// True if the cache lies in the source, where nothing is ever written, not even a cache.
  let isCacheInSource: Bool
  let progress: any ProgressObserver
  /// The tags that the snapshot gets from the beginning.
  var tags: Set<Tag> = []

  private var host: Host { repository.host }

  /// - Parameters:
  ///   - state: the state that the manifest must give.
  ///   - parent: the state that it builds on.
  ///   - chain: the chain that it builds on; `nil` for a full.
  ///   - mismatch: the error that is thrown if the manifest gives another state.
  /// - Returns: the reason why its tags could not be noted; `nil` if they were.
  @discardableResult
  func run(
    _ envelope: Envelope, state: Envelope.State, parent: StateFile?, chain: Chain?, mismatch: EngineError
  ) throws -> String? {
    try host.cancellation.check()
    let term = SnapshotTerm(in: repository)
    var envelope = envelope
    envelope.lockedUntil = term.end.map { RecordedTime($0) }
    let manifest = try envelope.serialized(signedBy: writer?.signing)
    let result = try readBack(manifest, of: envelope, on: chain)
    var kept: Kept = (nil, false)
    var notes: NotesReading
    let givesTheSame = envelope.kind != .full && envelope.changes.isEmpty && state == parent?.summary
    let extendsLocks = term.extendsLocks(of: envelope, after: draft.newest, begun: draft.begun)
    if givesTheSame, !extendsLocks {
      // The checks are made while the body is being sent.
      let checks = checksMeanwhile(of: archives(of: envelope), envelope)
      try draft.commitBody()
      notes = try checks.value().pass()
    } else {
      // The last archives are still being sent.
      try draft.commitBody()
      let objects = [body(of: envelope)] + archives(of: envelope)
      let early = extendsLocks ? nil : checksMeanwhile(of: objects, envelope)
      if !givesTheSame {
        kept = try prove(
          envelope, state: state, parent: parent, scratchBytesMax: result.scratchBytesMax, mismatch: mismatch)
        try host.cancellation.check()
      }
      if extendsLocks { try extendLocks(term, envelope, on: chain) }
      let checks = try (early ?? checksMeanwhile(of: objects, envelope)).value()
      notes = try checks.pass()
      // The proof may have taken long.
      if !checks.areRecent { notes = try checksMeanwhile(of: objects, envelope).value().pass() }
    }
    let problem = try note(envelope, on: chain, notes)
    try repository.catalog.commit(manifest, of: envelope.source.name, envelope.sequence)
    if !lease.holder.wasJustHeld { try lookAgain(manifest, result) }
    // The snapshot exists from here on. Without the cache, the next run is only slower.
    repository.memory?.remember(result.tip, path: path)
    if kept.isNeeded { keep(kept.cache, of: envelope, chain) }
    return problem
  }

  /// Writes the notes that belong to the snapshot, and confirms the lease.
  /// - Returns: the reason why its tags could not be noted; `nil` if they were.
  private func note(_ envelope: Envelope, on chain: Chain?, _ notes: NotesReading) throws -> String? {
    guard repository.isHome else {
      // Notes are written at home only: under a number of this target they would replace newer ones of home.
      if let chain, chain.snapshots.contains(where: { notes.removal(of: $0) != nil }) {
        throw EngineError(
          .transient, "what the snapshot builds on was removed while it was taken, so nothing was committed",
          hint: "Run the same command again: it takes a full.")
      }
      try lease.confirmHeld()
      return tags.isEmpty ? nil : "home is away, and notes are written there only"
    }
    let prepared = try repository.notes.prepareCommit(of: envelope, on: chain, tags: tags, notes)
    for called in prepared.called {
      progress.warn(
        "snapshot \(called.id.short) was removed meanwhile; it is called back, because this one builds on it")
    }
    try prepared.isNoted ? lease.checkHeld() : lease.confirmHeld()
    return prepared.damage?.message
  }

  /// Makes the checks as soon as the last archives are stored, while the caller goes on.
  private func checksMeanwhile(of objects: [RecordedObject], _ envelope: Envelope) -> Future<CommitChecks> {
    let (archives, source) = (draft.archives.underWay, envelope.source.name)
    return repository.store.meanwhile { [repository, lease] in
      for archive in archives { try archive.value() }
      return CommitChecks(of: objects, of: source, in: repository, under: lease)
    }
  }

  /// Checks the snapshot after its manifest took long to store. Another run may have taken the lease meanwhile, removed
  /// objects that had no manifest yet, or collected snapshots that this one builds on. If nobody has taken the lease,
  /// whoever takes it from now on sees the manifest.
  /// - Parameter chain: the chain with the new snapshot.
  /// - Throws: an error if the snapshot may not last. If parts of it are gone, it is withdrawn.
  private func lookAgain(_ manifest: [UInt8], _ chain: Chain) throws {
    let (name, sequence) = (chain.tip.sourceName, chain.tip.sequence)
    repository.store.refresh()
    do {
      try repository.containers.checkPresence(of: chain)
      try repository.notes.checkIsLeft(chain)
    } catch let damage as DamageError {
      try repository.catalog.withdraw(manifest, of: name, sequence)
      throw EngineError(
        .transient,
        "the manifest of this snapshot took too long to store, and another run has removed what belongs to it: \(damage.message); nothing was committed",
        hint: "Run the same command again.")
    }
    do {
      try lease.checkHeld()
    } catch is LeaseError {
      throw LeaseError.committedLate(name: name.text, location: repository.location)
    }
  }

  private func extendLocks(_ term: SnapshotTerm, _ envelope: Envelope, on chain: Chain?) throws {
    for archive in draft.archives.underWay { try archive.value() }
    let replaced = try term.extendLocks(envelope, on: chain, after: draft.newest, begun: draft.begun)
    guard let first = replaced.first else { return }
    progress.warn(
      "\(Amount.count(UInt64(replaced.count), "object")) of the repository, \(first) first, \(replaced.count == 1 ? "was" : "were") written over or removed by somebody; the first version of each is kept locked: read docs/operations.md, \"Everything was deleted\""
    )
  }

  /// Reads the manifest as it will be stored: a manifest that a reader would refuse is not committed.
  /// - Returns: the chain with the new snapshot.
  private func readBack(_ manifest: [UInt8], of envelope: Envelope, on chain: Chain?) throws -> Chain {
    do {
      let snapshot = try repository.catalog.snapshot(manifest, of: envelope.source.name, envelope.sequence)
      return try chain.map { try Chain($0, followedBy: snapshot) } ?? repository.catalog.chain(to: snapshot)
    } catch let damage as DamageError {
      throw EngineError(
        .usage, "no reader would take the manifest of this snapshot: \(damage.finding); nothing was committed",
        hint: "Split the source into several, or leave out what is so large with --exclude. Please report it.")
    }
  }

  private func keep(_ draft: StateCache.Draft?, of envelope: Envelope, _ chain: Chain?) {
    do {
      guard let cache = draft else {
        let reason = isCacheInSource ? "its directory lies in the source" : "no directory for it can be written"
        throw EngineError(.machine, reason + "; set HOLDFAST_CACHE_DIR", hint: nil)
      }
      try cache.keep(beside: chain?.full.id ?? envelope.snapshot)
    } catch {
      guard repository.keyring.isSealed else { return }
      let reason = describe(error).message
      progress.warn(
        "the local cache could not be written, so the next snapshot of \(envelope.source.name) will be a full: \(reason)"
      )
    }
  }

  private func body(of envelope: Envelope) -> RecordedObject {
    RecordedObject(
      key: Keys.body(envelope.source.name, envelope.sequence, envelope.body.id), length: envelope.body.length)
  }

  private func archives(of envelope: Envelope) -> [RecordedObject] {
    envelope.archives.map {
      RecordedObject(key: Keys.archive(envelope.source.name, envelope.sequence, $0.id), length: $0.length)
    }
  }

  /// The state for the cache; `nil` if it cannot be kept. `isNeeded` is true if the next snapshot needs it.
  private typealias Kept = (cache: StateCache.Draft?, isNeeded: Bool)

  /// - Parameter scratchBytesMax: the most bytes that a reader allows for the state.
  private func prove(
    _ envelope: Envelope, state: Envelope.State, parent: StateFile?, scratchBytesMax: UInt64, mismatch: EngineError
  ) throws -> Kept {
    let key = Keys.body(envelope.source.name, envelope.sequence, envelope.body.id)
    // What arrived damaged must not become a snapshot, even if its parity gives it back.
    let container = try repository.containers.asStored.open(
      .body, key, envelope.body, isReadWhole: true, isAnew: true)
    let older: [any ChangeReader] = parent.map { [$0.makeReader()] } ?? []
    var replay = try Replay(older + [BodyReader(container)])
    let place = isCacheInSource ? nil : cache
    let kept = place?.begin(
      repository, source: envelope.source.name, snapshot: envelope.snapshot, key: writer?.cacheKey)
    let sink: any ByteSink = kept ?? repository.containers.scratch.make()
    let proof = StateWriter(sink, bytesMax: scratchBytesMax)
    guard try finish(&replay, proof, scratchBytesMax) == state else { throw mismatch }
    kept?.end(state)
    if proof.hasHardLinks, try !leadToFiles(container, parent: parent, name: key) {
      throw EngineError(
        .machine, "the snapshot would have a hard link to what is not in it; nothing was committed",
        hint: "Make everything in the source readable, or leave out what is not with --exclude. Please report it.")
    }
    return (kept, cache != nil)
  }

  private func finish(_ replay: inout Replay, _ proof: StateWriter, _ bytesMax: UInt64) throws -> Envelope.State {
    do {
      try replay.write(to: proof, cancellation: host.cancellation)
      return try proof.finish()
    } catch StateExcess.bytes {
      throw EngineError(
        .usage,
        "the state of this snapshot would take more than the \(Amount.bytes(bytesMax)) that a reader lets it take; nothing was committed",
        hint: "Run it with --full; if that does not help, split the source into several. Please report it.")
    }
  }

  /// Replays once more into a readable state, and returns true if every hard link leads to a file.
  private func leadToFiles(_ container: ContainerReader, parent: StateFile?, name: String) throws -> Bool {
    let older: [any ChangeReader] = parent.map { [$0.makeReader()] } ?? []
    let scratch = repository.containers.scratch.make()
    let proof = StateWriter(scratch)
    var replay = try Replay(older + [BodyReader(container)])
    try replay.write(to: proof, cancellation: host.cancellation)
    let summary = try proof.finish()
    try scratch.finish()
    do {
      try StateFile(bytes: scratch, summary: summary).checkLinks(name: name)
      return true
    } catch is DamageError {
      return false
    }
  }
}
