internal import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
internal import HoldfastSystem

/// Gets the progress of syncs, on several threads.
package protocol SyncObserver: Sendable {
  /// Called before a source is copied.
  func began(_ plan: SyncPlan, at target: String)
  /// Called after an object was copied.
  func copied(bytes: UInt64, to target: String)
}

/// Brings one target up to home: what it lacks is copied, each object proved on its way, and what the notes say is
/// collected goes. Where there is a list of targets, what only the target has is brought home before.
package struct TargetSync: Sendable {
  private let home: Repository
  private let name: String
  private let store: any Store
  private let observer: any SyncObserver
  private let turns: ReturnTurns
  /// True if the list of targets need not have the target yet.
  private let isNew: Bool

  /// - Parameters:
  ///   - name: the name of the target, for its result.
  ///   - store: the store of the target.
  ///   - turns: shared by the syncs that run side by side.
  ///   - isNew: true if the list of targets need not have the target yet.
  package init(
    from home: Repository, to name: String, in store: any Store, observer: any SyncObserver,
    turns: ReturnTurns = ReturnTurns(), isNew: Bool = false
  ) {
    (self.home, self.name, self.store, self.observer) = (home, name, store, observer)
    (self.turns, self.isNew) = (turns, isNew)
  }

  /// Makes an empty store a target.
  /// - Parameter onProbe: gets the result of the test of the store, if it was made a target.
  /// - Returns: `false` if it was one already.
  /// - Throws: an error if the store has other contents.
  package static func make(
    _ store: any Store, of home: Repository, onProbe: (StoreProbe) -> Void = { _ in }, warn: (String) -> Void
  ) throws -> Bool {
    try TargetIdentity(of: store, home: home).make(onProbe: onProbe, warn)
  }

  /// Copies the list of targets, and the keyring, to a store that is a target.
  /// - Parameter isDryRun: true if it is only compared.
  /// - Throws: `TargetError` when it is no target, or its list or its keyring does not continue in home's.
  package static func copyList(to store: any Store, of home: Repository, isDryRun: Bool = false) throws {
    _ = try TargetIdentity(of: store, home: home).open(isDryRun: isDryRun)
  }

  /// Checks that a store is a target already, or may become one.
  package static func checkMayBeMade(_ store: any Store, of home: Repository) throws {
    try TargetIdentity(of: store, home: home).checkMayBeMade()
  }

  /// Returns what only the target has, one line for each source.
  /// - Throws: an error if the store does not answer, or is no target of the repository.
  package static func onlyThere(in store: any Store, as name: String, of home: Repository) throws -> [String] {
    let target = try TargetIdentity(of: store, home: home, as: name).open(isDryRun: true)
    return try sources(of: home, target).compactMap { source in
      let planner = SyncPlanner(home: home, target: target, source: source, own: try home.targets.ownNumbers())
      let coming = try planner.planReturn().plan
      let count = Set(try planner.plan().onlyThere.map(\.sequence)).union(coming.missing).count
      let hasNotes = !coming.notes.isEmpty || coming.notesApart != nil
      guard count > 0 || hasNotes else { return nil }
      return [count > 0 ? Amount.count(UInt64(count), "snapshot") : nil, hasNotes ? "notes" : nil].compactMap(\.self)
        .joined(separator: " and ") + " of \(source)"
    }
  }

  /// - Parameters:
  ///   - source: the only source to copy; `nil` for all.
  ///   - isDryRun: true if only plans are made.
  /// - Returns: the result, also after a failure; only a signal is thrown.
  package func run(_ source: SourceName? = nil, isDryRun: Bool = false) throws -> TargetResult {
    var result = TargetResult(name, at: store.location)
    do {
      let source = try source.map { try home.names.source($0) }
      guard store.capabilities.objectLock == nil else { throw TargetError.locked(target: store.location) }
      let target = try TargetIdentity(of: store, home: home, as: name).open(isDryRun: isDryRun)
      defer { target.errands.wait() }
      if !isNew { try TargetIdentity.checkIsListed(name, home: home) }
      for source in try source.map({ [$0] }) ?? Self.sources(of: home, target) {
        let one = try run(source, target, isDryRun: isDryRun)
        result.sources.append(one)
        // The other sources would wait as long for the same store.
        if let failure = one.failure, failure.isTransient, failure.exitStatus != .locked { break }
      }
    } catch let signal as Interrupted {
      throw signal
    } catch {
      result.failure = describe(error)
    }
    return result
  }

  private static func sources(of home: Repository, _ target: Repository) throws -> [SourceName] {
    try Set(
      [home, target].flatMap { repository in
        try repository.catalog.sourceNames() + repository.catalog.loggedSourceNames()
          + repository.catalog.journaledSourceNames()
      }
    ).sorted()
  }

  private func run(_ source: SourceName, _ target: Repository, isDryRun: Bool) throws -> SyncResult {
    // What cannot be read is told by the sync itself.
    func isRemoved(with plan: SyncPlan? = nil) -> Bool {
      let notes = (try? (plan?.notes.isEmpty ?? true ? home : target).notes.read(source).notes)
      let more = plan?.snapshots.map(\.snapshot) ?? []
      return (notes.flatMap { try? home.catalog.removal(of: source, $0, with: more) }).flatMap { $0 } != nil
    }
    let wasRemoved = isRemoved()
    var returned = SyncResult(source)
    var result = try run(source, target, isDryRun: isDryRun, &returned)
    result.add(returned: returned)
    let isBringing = isDryRun ? returned.plan?.snapshots.isEmpty == false : !result.brought.isEmpty
    result.isBack = wasRemoved && isBringing && !isRemoved(with: isDryRun ? returned.plan : nil)
    return result
  }

  /// - Parameter returned: gets the snapshots that were brought home, even if the rest failed.
  private func run(
    _ source: SourceName, _ target: Repository, isDryRun: Bool, _ returned: inout SyncResult
  ) throws -> SyncResult {
    var result = SyncResult(source)
    do {
      let planner = try SyncPlanner(home: home, target: target, source: source, own: home.targets.ownNumbers())
      try bringHome(planner, isDryRun: isDryRun, &returned)
      let plan = try planner.plan()
      result = SyncResult(plan)
      guard !isDryRun else { return result }
      guard !plan.isEmpty else {
        try JournalCopy(from: home, to: target, of: source).run()
        return result
      }
      let lease = try takeLease(on: source, of: target)
      defer { lease.end() }
      let (observer, name) = (observer, name)
      var execution = SyncExecution(planner, under: lease) { observer.copied(bytes: $0, to: name) }
      defer { result = execution.result }
      // Another run may have copied some of it before this one got the lease.
      let current = try planner.plan()
      observer.began(current, at: name)
      try execution.run(current)
    } catch let signal as Interrupted {
      throw signal
    } catch {
      result.failure = describe(error)
    }
    return result
  }

  /// Brings home what only the target has, under home's lease.
  private func bringHome(_ planner: SyncPlanner, isDryRun: Bool, _ result: inout SyncResult) throws {
    guard try home.targets.newest() != nil else { return }
    let (_, plan) = try planner.planReturn()
    result = SyncResult(plan)
    if !isDryRun, !plan.isEmpty { try bringHome(planner, &result) }
    if let error = plan.notesApart { throw error }
  }

  private func bringHome(_ planner: SyncPlanner, _ result: inout SyncResult) throws {
    // Another target may bring the same snapshots.
    try turns.begin(planner.source, unless: home.host.cancellation)
    defer { turns.end(planner.source) }
    home.store.refresh()
    // The run before this one may be about to give its lease back.
    home.errands.wait()
    let lease = try takeLease(on: planner.source, of: home)
    defer { lease.end() }
    let (exchanged, current) = try planner.planReturn()
    let (observer, name) = (observer, name)
    guard !current.isEmpty else { return result = SyncResult(current) }
    var execution = SyncExecution(exchanged, under: lease) { observer.copied(bytes: $0, to: name) }
    defer { result = execution.result }
    observer.began(current, at: name)
    try execution.bring(current)
    home.store.refresh()
  }

  private func takeLease(on source: SourceName, of repository: Repository) throws -> Lease {
    guard let lease = try Lease.take(on: source, of: repository, waits: false) else {
      throw Lease.watchError(on: source, of: repository)
        ?? EngineError(
          .transient, "another run works on \(source) in \(repository.location)",
          hint: "Wait for it, and run the same command again.", exitStatus: .locked)
    }
    return lease
  }
}
