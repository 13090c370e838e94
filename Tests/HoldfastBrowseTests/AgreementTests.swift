import HoldfastArchive
import HoldfastBrowse
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Whatever happened to files and snapshots, `history` and `find` say of every snapshot what the source had when it was
/// taken.
@Suite struct AgreementTests {
  @Test(arguments: Trials.seeds(byDay: 4, atNight: 200))
  func historyAndFindSayWhatWasThere(seed: UInt64) throws {
    var random = try RandomShop(seed: seed)
    let cache = ChangeCache(directory: random.shop.cachePath)
    for _ in 0..<10 {
      try random.step()
      _ = try Find(["*"], SnapshotChoice(), in: random.shop.open(), cache: cache)
    }
    let repository = try random.shop.open()
    let present = try random.present()
    for cache in [ChangeCache.none, cache] {
      for path in random.paths where !path.isEmpty {
        try expectHistory(of: path, present, in: repository, cache, "seed \(seed), \(path)")
      }
      for pattern in ["*", "*.db", "d/*", "d/**", "nothing"] {
        try expectMatches(of: pattern, present, in: repository, cache, "seed \(seed), \(pattern)")
      }
    }
  }

  private typealias Present = [(snapshot: Snapshot, things: [Path: RandomShop.Thing])]

  private func expectHistory(
    of path: Path, _ present: Present, in repository: Repository, _ cache: ChangeCache, _ place: Comment
  ) throws {
    var runs: [(thing: RandomShop.Thing?, first: Identifier, last: Identifier, count: Int)] = []
    for (snapshot, things) in present where things[path] != nil || !runs.isEmpty {
      if let last = runs.last, last.thing == things[path] {
        runs[runs.count - 1] = (last.thing, last.first, snapshot.id, last.count + 1)
      } else {
        runs.append((things[path], snapshot.id, snapshot.id, 1))
      }
    }
    let typed = TypedPath(path.description)
    guard !runs.isEmpty else {
      #expect(throws: EngineError.self, place) {
        try History(of: typed, SnapshotChoice(), in: repository, cache: cache)
      }
      return
    }
    let history = try History(of: typed, SnapshotChoice(), in: repository, cache: cache)
    let versions = try #require(history.sources.first).versions
    #expect(versions.map(\.first.id) == runs.map(\.first), place)
    #expect(versions.map(\.last.id) == runs.map(\.last), place)
    #expect(versions.map(\.snapshotCount) == runs.map(\.count), place)
    for (version, run) in zip(versions, runs) {
      #expect((version.entry == nil) == (run.thing == nil), place)
      if let entry = version.entry, let thing = run.thing { #expect(entry.shows(thing), place) }
    }
  }

  private func expectMatches(
    of pattern: String, _ present: Present, in repository: Repository, _ cache: ChangeCache, _ place: Comment
  ) throws {
    let glob = Glob(pattern)
    let all = Set(present.flatMap(\.things.keys)).filter { glob.matches($0) }.sorted()
    for isDeletedOnly in [false, true] {
      let expected = all.filter { !isDeletedOnly || present.last?.things[$0] == nil }
      let found = try Find(
        [pattern], SnapshotChoice(), isDeletedOnly: isDeletedOnly, in: repository, cache: cache)
      var matches: [Find.Match] = []
      found.sources.forEach { $0.forEach { matches.append($0) } }
      #expect(matches.map(\.newest.path) == expected, place)
      for match in matches {
        let those = present.filter { $0.things[match.newest.path] != nil }
        #expect(match.first.id == those.first?.snapshot.id, place)
        #expect(match.last.id == those.last?.snapshot.id, place)
        #expect(match.snapshotCount == those.count, place)
        #expect(match.isDeleted == (present.last?.things[match.newest.path] == nil), place)
      }
    }
  }
}
