internal import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// The result of a placement at one target.
package struct PlacementResult: Sendable {
  package let target: String
  /// The number of objects of which the target got its shard.
  package internal(set) var placed = 0
  /// The number of shards and whole objects that were in another scheme, or at another position, and were removed.
  package internal(set) var removed = 0
  /// The objects of which no shard can be made, or of which the shard is not sound: their old shards stay.
  package internal(set) var findings: [SyncFinding] = []
  /// The error that stopped it; `nil` if it came to its end.
  package internal(set) var failure: (any OperatorError)?

  init(_ target: String) { self.target = target }

  /// True if nothing kept the target from getting its shards, or others from going.
  package var isWithoutFault: Bool { findings.isEmpty && failure == nil }
}

/// Gives each target its shards of everything that home has, whatever scheme it is in so far: after the scheme or the
/// list of targets was changed. Every byte is proved on its way. Then it removes what is in other places: of an object
/// only when all of its shards were read and proved, under home's lease, with the newest list of targets.
package struct ShardPlacement: Sendable {
  private let home: Repository
  private let shards: ShardSet
  private let observer: any SyncObserver

  /// - Parameter home: a repository whose containers are divided.
  package init?(_ home: Repository, observer: any SyncObserver) {
    guard let shards = home.shards else { return nil }
    (self.home, self.shards, self.observer) = (home, shards, observer)
  }

  /// - Parameter source: the only source; `nil` for all.
  /// - Returns: the results of all targets that answer.
  /// - Throws: a signal, or an error of home.
  package func run(_ source: SourceName? = nil, isDryRun: Bool = false) throws -> [PlacementResult] {
    var results = shards.members.map { PlacementResult($0.name) }
    let sources =
      try source.map { [try home.names.source($0)] } ?? home.catalog.sourceNames() + home.catalog.loggedSourceNames()
    for source in Set(sources).sorted() {
      let items = try items(of: source)
      for (index, member) in shards.members.enumerated() where results[index].failure == nil {
        try noting(&results[index]) { try place(items, of: source, at: member, isDryRun: isDryRun, &$0) }
      }
      if !isDryRun { try removeOthers(of: source, items, &results) }
    }
    return results
  }

  private func noting(_ result: inout PlacementResult, _ body: (inout PlacementResult) throws -> Void) throws {
    do {
      try body(&result)
    } catch let signal as Interrupted {
      throw signal
    } catch {
      result.failure = describe(error)
    }
  }

  /// Returns all containers that manifests at home name.
  private func items(of source: SourceName) throws -> [ContainerCopy.Item] {
    var items: [String: ContainerCopy.Item] = [:]
    for snapshot in try home.catalog.committedSnapshots(of: source, onDamage: { _ in }) {
      for item in try home.catalog.whole(snapshot).containers { items[item.key] = item }
    }
    let archive = WALArchive(home, of: source)
    for system in try archive.systems() {
      for copy in try archive.allCopies(of: system) {
        let key = Keys.walManifest(source, system, copy.file, copy: copy.copy)
        guard let found = try? archive.archived(key) else { continue }
        let object = found.manifest.object
        items[found.manifest.objectKey] = ContainerCopy.Item(
          kind: .wal, key: found.manifest.objectKey, reference: object)
      }
    }
    return items.values.sorted { $0.key < $1.key }
  }

  /// Opens a target; `nil` if it has no shards, or if it is not there. A sync says of such a target what is wrong.
  private func target(_ member: ShardSet.Member) -> Repository? {
    guard member.position != nil, let view = shards.view(of: member.name), shards.isTarget(view.base) else {
      return nil
    }
    return home.at(view)
  }

  // MARK: Placing

  private func place(
    _ items: [ContainerCopy.Item], of source: SourceName, at member: ShardSet.Member, isDryRun: Bool,
    _ result: inout PlacementResult
  ) throws {
    guard let target = target(member) else { return }
    target.store.refresh()
    let listed = try lengths(of: source, in: target.store)
    let missing = items.filter { listed[$0.key] == nil }
    guard !missing.isEmpty else { return }
    guard !isDryRun else { return result.placed += missing.count }
    let lease = try lease(on: source, of: target)
    defer { lease.end() }
    let copying = ContainerCopy(from: home, to: target)
    let damage = DamageList()
    let done = Atomic(0)
    let (observer, host) = (observer, home.host)
    try SideBySide.run(missing.count, threads: copying.threads) { index in
      try host.cancellation.check()
      try lease.checkHeld()
      do {
        try copying.copy(missing[index])
        observer.copied(bytes: missing[index].reference.length, to: member.name)
        done.wrappingAdd(1, ordering: .relaxed)
      } catch let found as DamageError {
        damage.add(found)
      }
    }
    result.placed += done.load(ordering: .relaxed)
    result.findings += damage.all.map { SyncFinding($0, at: home.location) }
  }

  private func lease(on source: SourceName, of target: Repository) throws -> Lease {
    guard let lease = try Lease.take(on: source, of: target, waits: false) else {
      throw EngineError(
        .transient, "another run works on \(source) in \(target.location)",
        hint: "Wait for it, and run the same command again.", exitStatus: .locked)
    }
    return lease
  }

  // MARK: Removing

  /// Removes what is in other places. Home's lease is held from the first proof to the last removal, and the list of
  /// targets is read under it: two syncs that know different lists would remove the shards of each other.
  private func removeOthers(
    of source: SourceName, _ items: [ContainerCopy.Item], _ results: inout [PlacementResult]
  ) throws {
    var others: [Int: [String: [String]]] = [:]
    for (index, member) in shards.members.enumerated() where results[index].failure == nil {
      try noting(&results[index]) { _ in others[index] = try otherForms(of: source, at: member) }
    }
    guard others.contains(where: { !$1.isEmpty }) else { return }
    do {
      try removeOthers(others, of: source, items, &results)
    } catch let signal as Interrupted {
      throw signal
    } catch {
      // The first is home.
      results[0].failure = describe(error)
    }
  }

  /// - Parameter others: the keys of what goes, by the index of the member and by the key of the object.
  private func removeOthers(
    _ others: [Int: [String: [String]]], of source: SourceName, _ items: [ContainerCopy.Item],
    _ results: inout [PlacementResult]
  ) throws {
    let lease = try lease(on: source, of: home)
    defer { lease.end() }
    try checkListIsNewest()
    let old = others.values.reduce(into: Set<String>()) { $0.formUnion($1.keys) }
    let proved = try prove(items.filter { old.contains($0.key) }, of: source, under: lease, &results)
    for (index, member) in shards.members.enumerated() where results[index].failure == nil {
      let keys = (others[index] ?? [:]).filter { proved.contains($0.key) }.flatMap(\.value).sorted()
      try noting(&results[index]) { try remove(keys, of: source, at: member, under: lease, &$0) }
    }
  }

  /// Throws if the newest list of targets has another scheme or other positions than the shards that were placed.
  private func checkListIsNewest() throws {
    let list = try home.targets.newestAnew()
    let known = shards.members.reduce(into: [:]) { $0[$1.name] = $1.position }
    let newest = (list?.targets ?? []).reduce(into: [:]) { $0[$1.name] = $1.shard }
    guard list?.erasure == shards.scheme, newest == known else {
      throw EngineError(
        .transient, "the list of targets was changed meanwhile, and nothing was removed",
        hint: "Run `holdfast sync` again.")
    }
  }

  /// Reads all shards of objects.
  /// - Returns: the keys of the objects of which all shards are sound.
  private func prove(
    _ items: [ContainerCopy.Item], of source: SourceName, under lease: Lease, _ results: inout [PlacementResult]
  ) throws -> Set<String> {
    var counts: [String: Int] = [:]
    for (index, member) in shards.members.enumerated() where results[index].failure == nil {
      try noting(&results[index]) { result in
        guard let target = target(member) else { return }
        target.store.refresh()
        let copying = ContainerCopy(from: target, to: target)
        let listed = try lengths(of: source, in: target.store)
        for item in items where listed[item.key] != nil {
          try home.host.cancellation.check()
          try lease.checkHeld()
          do {
            try copying.prove(item)
            counts[item.key, default: 0] += 1
          } catch let damage as DamageError {
            result.findings.append(SyncFinding(damage, at: target.location))
          }
        }
      }
    }
    return Set(counts.filter { $0.value == shards.scheme.shards }.keys)
  }

  /// Returns the keys of what a target has in other places, by the keys of their objects.
  private func otherForms(of source: SourceName, at member: ShardSet.Member) throws -> [String: [String]] {
    guard let view = shards.view(of: member.name), shards.isTarget(view.base) else { return [:] }
    var others: [String: [String]] = [:]
    for prefix in [Keys.source(source), Keys.wal(source)] {
      try view.base.forEachEntry(below: prefix, .everything) { entry in
        let key = prefix + entry.name
        if let object = shards.otherForm(key, than: member.position) { others[object, default: []].append(key) }
        return true
      }
    }
    return others
  }

  private func remove(
    _ keys: [String], of source: SourceName, at member: ShardSet.Member, under homes: Lease,
    _ result: inout PlacementResult
  ) throws {
    guard !keys.isEmpty, let view = shards.view(of: member.name) else { return }
    let own = member.name == shards.home.name ? nil : try lease(on: source, of: home.at(view))
    defer { own?.end() }
    let lease = own ?? homes
    for key in keys {
      try home.host.cancellation.check()
      try homes.checkHeld()
      try lease.checkHeld()
      try view.base.remove(key)
      result.removed += 1
    }
  }

  /// Returns the lengths of everything of a source, by key, as the listing of a store shows them.
  private func lengths(of source: SourceName, in store: any Store) throws -> [String: UInt64?] {
    var lengths: [String: UInt64?] = [:]
    for prefix in [Keys.source(source), Keys.wal(source)] {
      try store.forEachEntry(below: prefix, .everything) { entry in
        if entry.kind != .foreign { lengths.updateValue(entry.kind.length, forKey: prefix + entry.name) }
        return true
      }
    }
    return lengths
  }
}
