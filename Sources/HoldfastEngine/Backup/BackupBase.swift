internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The chain and state that a new snapshot builds on.
struct BackupBase {
  let kind: SnapshotKind
  /// The chain; `nil` for a full, as is `state`.
  var chain: Chain?
  var state: StateFile?
  /// The reason for the kind of snapshot; `nil` if the caller asked for the kind.
  var reason: String?

  fileprivate static func full(because reason: String? = nil) -> BackupBase {
    BackupBase(kind: .full, reason: reason)
  }
}

/// Chooses the snapshot that a new one builds on: a sound parent, or none (a full).
struct BaseChoice {
  let repository: Repository
  let options: Backup.Options
  let cache: StateCache
  let progress: any ProgressObserver

  /// - Parameters:
  ///   - newest: the newest snapshot of the source.
  ///   - cacheKey: the key of the local cache, if the repository is sealed.
  func choose(_ newest: Snapshot?, of name: SourceName, cacheKey: SealingKey?) throws -> BackupBase {
    guard options.kind != .full else { return .full() }
    let wanted = options.kind ?? .incremental
    guard let newest else { return .full(because: "\(name) has no snapshot yet") }
    do {
      var chain = try repository.catalog.chain(to: newest)
      if wanted == .differential { chain = try repository.catalog.chain(to: chain.full) }
      guard try repository.keyring.hasSameRecipients(as: chain.full) else {
        return .full(because: "the recipients have changed since the last full")
      }
      if let pruned = try repository.notes.collectedPart(of: chain) {
        progress.warn("snapshot \(pruned.id.short) was pruned, so nothing builds on it: taking a full")
        return .full(because: "a part of the chain of \(chain.tip.id.short) was pruned")
      }
      if try !repository.isHome && repository.notes.hasRemoved(chain) {
        return .full(because: "a part of the chain of \(chain.tip.id.short) is removed, and only home can call it back")
      }
      try repository.containers.checkPresence(of: chain)
      if try chain.isAsLongAsMayBe || !repository.containers.hasRoomForABody(chain) {
        let full = "nothing more may build on \(chain.tip.id.short): its chain is as long as one may be"
        if options.kind != nil { progress.warn(full + ": taking a full") }
        return .full(because: full)
      }
      let known = try cache.load(chain, in: repository, key: cacheKey) ?? replay(chain, cacheKey)
      guard let state = try known ?? cache.loadMerged(chain, in: repository, key: cacheKey, keeps: keepsCache)
      else {
        let lost = "the local cache of \(chain.tip.id.short) is lost, and this machine cannot open what is sealed"
        if options.kind != nil { progress.warn(lost + ": taking a full") }
        return .full(because: lost)
      }
      let reason = options.kind == nil ? "builds on \(chain.tip.id.short)" : nil
      return BackupBase(kind: wanted, chain: chain, state: state, reason: reason)
    } catch let error as any OperatorError where error.isDamage {
      progress.warn(error.message)
      return .full(because: "the chain of \(newest.id.short) is damaged")
    }
  }

  /// True if the state of a merged chain may replace the cached one. The cache must not lie in the source: nothing is
  /// ever written there.
  private var keepsCache: Bool {
    guard options.command == nil else { return !options.isDryRun }
    return !options.isDryRun && !((try? cache.lies(in: repository.host.files.resolve(options.source))) ?? true)
  }

  /// Replays a chain whose cached state is lost, and keeps the state: a run that finds nothing changed keeps none.
  /// - Returns: the state; `nil` if the chain is sealed and no identity opens it. Then a full is better than no
  ///   snapshot.
  private func replay(_ chain: Chain, _ cacheKey: SealingKey?) throws -> StateFile? {
    do {
      guard try repository.keyring.hasIdentity() else { return nil }
      let state = try repository.containers.replay(chain)
      if keepsCache { cache.keep(state, of: chain, in: repository, key: cacheKey) }
      return state
    } catch let error as KeyError {
      progress.warn(error.message)
      return nil
    }
  }
}
