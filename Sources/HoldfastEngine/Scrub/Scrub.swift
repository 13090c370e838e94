internal import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// Finds objects that a target does not have as the signed manifests demand, and repairs them from their parity or from
/// other targets, and at last from the pages that the source still has. It needs no key: it proves stored bytes against
/// the digests in the manifests. Only to make frames of a sealed repository again from pages, it needs an identity.
package struct Scrub: Sendable {
  /// Returns the directory of a source on this machine; `nil` if it has none. It gets the directory that a snapshot
  /// records, if that can be read.
  package typealias SourceDirectory = @Sendable (_ source: SourceName, _ recorded: Path?) -> Path?

  package struct Options: Sendable {
    /// The share of the stored bytes that is proved, 0 to 1.
    package var share = 1.0
    /// The start of that share in the fixed order of all stored bytes, 0 to 1; `nil` for a random share.
    package var begin: Double?
    /// True if damaged objects are replaced and missing ones copied.
    package var repairs = false
    /// The only source to scrub; `nil` for all.
    package var source: SourceName?
    /// The names of the targets that are scrubbed; empty for all. The others are only read for repairs.
    package var chosen: Set<String> = []
    /// Finds the sources whose pages may give back what no target has any more. It finds none by default.
    package var directory: SourceDirectory = { _, _ in nil }
    package init() {}
  }

  /// A target with its store, or with the reason why it cannot be opened.
  package struct Place: Sendable {
    let name: String
    let location: String
    let isHome: Bool
    let store: Result<any Store, any Error>

    package init(_ name: String, at location: String, isHome: Bool, _ store: Result<any Store, any Error>) {
      (self.name, self.location, self.isHome, self.store) = (name, location, isHome, store)
    }
  }

  let places: [Place]
  let reference: Repository
  /// The name of the target at which `reference` was opened.
  let referenceName: String
  let options: Options
  let onProved: @Sendable (UInt64) -> Void

  /// - Parameters:
  ///   - places: all targets, home first.
  ///   - reference: the repository, opened at home, or at the first target where that is possible.
  ///   - name: the name of that target.
  ///   - onProved: gets the number of stored bytes that were proved; called by several threads.
  package init(
    _ places: [Place], reference: Repository, openedAt name: String, _ options: Options,
    onProved: @escaping @Sendable (UInt64) -> Void = { _ in }
  ) {
    (self.places, self.options, self.onProved) = (places, options, onProved)
    (self.reference, referenceName) = (reference.uncached, name)
  }

  /// - Returns: the result of each chosen target, in their order, also of those that failed.
  /// - Throws: a signal; `EngineError` when there is no source of that name.
  package func run() throws -> [ScrubResult] {
    var results = places.map { ScrubResult($0.name, at: $0.location, isHome: $0.isHome) }
    var opened: [(index: Int, target: ScrubTarget, faults: [ScrubFault])] = []
    for (index, result) in try open().enumerated() {
      switch result {
      case .success(let (target, faults)):
        opened.append((index, target, faults))
        try mark(&results[index], target.repository.store)
        results[index].hasOldKeyring = !options.repairs && isBehindInKeyring(target)
      case .failure(let failure): results[index].failure = describe(failure)
      }
    }
    let lists = try ScrubRevisions(opened.map(\.target), reference.targets.store)
    let names = try ScrubRevisions(opened.map(\.target), reference.names.store)
    for (position, (list, named)) in zip(lists.comparisons, names.comparisons).enumerated() {
      opened[position].faults += list.faults + named.faults
      results[opened[position].index].hasOldTargets = list.isBehind
      results[opened[position].index].hasOldNames = named.isBehind
      results[opened[position].index].failure = list.failure ?? named.failure
    }
    let sources = try sources(opened.map(\.target))
    for (index, target, faults) in opened
    where target.isChosen && !faults.isEmpty && results[index].failure == nil {
      do {
        results[index].findings = try repairCatalog(faults, at: target, opened.map(\.target), sources.first)
      } catch let signal as Interrupted {
        throw signal
      } catch {
        results[index].failure = describe(error)
      }
    }
    let all = opened.filter { results[$0.index].failure == nil }
    let own = lists.ownNumbers(of: places.first(where: \.isHome)?.name ?? "")
    for source in sources {
      let scrubbing = SourceScrubbing(
        source, all.map(\.target), own: own, isComplete: all.count == places.count, self)
      for ((index, target, _), found) in zip(all, try scrubbing.run()) where target.isChosen {
        results[index].sources.append(found)
      }
    }
    if let home = all.first(where: { $0.target.isHome }), home.target.name == referenceName {
      try bringUp(&results, home.index, all.filter { $0.index != home.index }.map { ($0.index, $0.target) })
      try note(&results[home.index])
    }
    for place in all { place.target.repository.errands.wait() }
    return results.filter { isChosen($0.target) }
  }

  /// Reads the mark of a place. One that has none is marked if the scrub repairs.
  private func mark(_ result: inout ScrubResult, _ store: any Store) throws {
    do {
      result.mark = try PlaceMark.read(in: store)
      guard options.repairs, result.mark == nil, isChosen(result.target) else { return }
      result.mark = try PlaceMark.make(in: store, reference.host.random)
      result.isMarkNew = result.mark != nil
    } catch let signal as Interrupted {
      throw signal
    } catch {
      // Without a mark the location alone identifies it.
    }
  }

  /// Syncs the chosen targets that are behind home, if the scrub repairs; all of them if home lacks what was made at
  /// another target.
  private func bringUp(
    _ results: inout [ScrubResult], _ home: Int, _ others: [(index: Int, target: ScrubTarget)]
  ) throws {
    let chosen = others.filter {
      options.repairs && $0.target.isChosen && results[$0.index].failure == nil
    }
    let isHomeBehind = results[home].isBehind
    var isAllInStep = chosen.count == places.count - 1
    // What the last one brings home is new to those before it.
    for (index, target) in isHomeBehind ? chosen + chosen.dropLast() : chosen {
      results[index].hasOldKeyring = isBehindInKeyring(target)
      guard isHomeBehind || results[index].isBehind else { continue }
      let sync = TargetSync(
        from: reference.together, to: target.name, in: target.repository.store,
        observer: UnseenSync(onCopied: onProved))
      let synced = try sync.run(options.source)
      results[index].hasOldKeyring = synced.failure != nil
      results[index].hasOldTargets = synced.failure != nil
      results[index].hasOldNames = synced.failure != nil && results[index].hasOldNames
      isAllInStep = isAllInStep && synced.isInStep
      for number in results[index].sources.indices
      where !results[index].sources[number].behind.isNone {
        results[index].sources[number].bringUp(synced)
      }
    }
    guard isHomeBehind, isAllInStep else { return }
    for number in results[home].sources.indices {
      results[home].sources[number].behind = ScrubLag()
    }
  }

  /// Notes at home the snapshots that are damaged there, as a verify does.
  private func note(_ home: inout ScrubResult) throws {
    guard reference.isHome else { return }
    for source in home.sources where !source.damaged.isEmpty {
      do {
        try reference.notes.noteScrubbed(source.source, damaged: source.damaged)
      } catch let signal as Interrupted {
        throw signal
      } catch {
        home.unnoted = describe(error)
      }
    }
  }

  private func isChosen(_ name: String) -> Bool { options.chosen.isEmpty || options.chosen.contains(name) }

  /// Opens all targets side by side, and compares their descriptors and keyrings with those of the reference.
  private func open() throws -> [Result<(ScrubTarget, [ScrubFault]), any Error>] {
    let found = Mutex<[Int: Result<(ScrubTarget, [ScrubFault]), any Error>]>([:])
    try SideBySide.run(places.count, threads: places.count) { index in
      let result = Result { try open(places[index]) }
      if case .failure(let signal as Interrupted) = result { throw signal }
      found.withLock { $0[index] = result }
    }
    return found.withLock { $0 }.sorted { $0.key < $1.key }.map(\.value)
  }

  private func open(_ place: Place) throws -> (ScrubTarget, [ScrubFault]) {
    let store = try place.store.get()
    let isReference = place.name == referenceName
    let target = ScrubTarget(
      name: place.name, repository: isReference ? reference : reference.at(store), isHome: place.isHome,
      isChosen: isChosen(place.name))
    return (target, isReference ? [] : try ScrubCatalog(target: target, reference: reference).faults())
  }

  /// True if the target lacks the newest keyring; false if it does not answer, which is reported elsewhere.
  private func isBehindInKeyring(_ target: ScrubTarget) -> Bool {
    target.name != referenceName
      && (try? ScrubCatalog(target: target, reference: reference).isBehind()) ?? false
  }

  private func sources(_ targets: [ScrubTarget]) throws -> [SourceName] {
    let names = try Set(
      targets.flatMap { target in
        try target.repository.catalog.sourceNames() + target.repository.catalog.loggedSourceNames()
      })
    guard let source = try options.source.map({ try reference.names.source($0) }) else { return names.sorted() }
    // Without this check, a mistyped name would look like a source without faults.
    guard names.contains(source) || targets.isEmpty else {
      throw EngineError(
        .usage, "there is no source \(source) in \(reference.location)",
        hint: "Run `holdfast list` to see all sources.")
    }
    return [source]
  }

  // MARK: The catalog

  /// Repairs the descriptor, the keyring, the list of targets and the names of sources. They belong to no source: the
  /// lease on the first source keeps two scrubs apart.
  private func repairCatalog(
    _ faults: [ScrubFault], at target: ScrubTarget, _ all: [ScrubTarget], _ source: SourceName?
  ) throws -> [ScrubFinding] {
    var findings = faults.map { ScrubFinding(object: $0.key, message: $0.damage.message, outcome: .repairable) }
    guard options.repairs, let source else { return findings }
    let lease = try target.lease(on: source)
    var repair = ScrubRepair(target, from: JoinedTargets(all, last: target, reference), under: lease)
    try repair.run(faults) { fault, found in
      guard let index = findings.firstIndex(where: { $0.object == fault.key }) else { return }
      (findings[index].outcome, findings[index].origin) = (found.outcome, found.origin)
    }
    return findings
  }
}

/// Counts the bytes that a sync copies as bytes of the scrub.
private struct UnseenSync: SyncObserver {
  let onCopied: @Sendable (UInt64) -> Void

  func began(_ plan: SyncPlan, at target: String) {}
  func copied(bytes: UInt64, to target: String) { onCopied(bytes) }
}

extension ScrubTarget {
  /// Takes the target's lease on a source.
  /// - Throws: `EngineError` with exit status 11 when another run holds it, `TargetError.locked` when objects that are
  ///   written there would have to be locked.
  func lease(on source: SourceName) throws -> Lease {
    guard repository.store.capabilities.objectLock == nil else { throw TargetError.locked(target: location) }
    guard let lease = try Lease.take(on: source, of: repository, waits: false) else {
      throw Lease.watchError(on: source, of: repository)
        ?? EngineError(
          .transient, "another run works on \(source) in \(location)",
          hint: "Wait for it, and run the same command again.", exitStatus: .locked)
    }
    return lease
  }
}
