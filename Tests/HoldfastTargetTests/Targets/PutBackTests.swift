import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Home may be put back to an older state, and its notes and list may change elsewhere: no number is given twice, and
/// nothing that somebody noted is lost in silence.
@Suite(.timeLimit(.minutes(10))) struct PutBackTests {
  private func taken(_ shop: ListedShop, _ text: String, at name: String) throws -> UInt64 {
    TestFiles.write(text, to: shop.shop.source.appending(text))
    return try shop.backup(at: name)
  }

  private func pass(
    _ shop: ListedShop, _ text: String, to names: [String]
  ) throws -> (number: UInt64, lags: [String: any OperatorError]) {
    TestFiles.write(text, to: shop.shop.source.appending(text))
    let pass = TargetPass(
      from: try shop.open("home"), named: "home", to: try names.map { Target(name: $0, store: try shop.store($0)) },
      TargetPolicy())
    let report = try shop.shop.backup(in: pass.repository)
    return (report.envelope.sequence, try pass.finish(report.envelope.source.name))
  }

  // MARK: Numbers

  @Test(arguments: [false, true]) func aNumberIsNotGivenTwiceWhereHomeWasPutBack(isSealed: Bool) throws {
    let shop = try ListedShop(isSealed: isSealed)
    #expect(try pass(shop, "one", to: ["cloud", "barn"]).number == 1)
    let yesterday = try shop.store("home").contents
    #expect(try pass(shop, "two", to: ["cloud"]).number == 2)
    try shop.store("home").contents = yesterday
    let (number, lags) = try pass(shop, "three", to: ["barn", "cloud"])
    #expect(number == 3, "cloud has 2")
    #expect(lags.mapValues { $0 as? BehindReason } == ["cloud": .wasAhead])
    #expect(lags["cloud"]?.message == "it has snapshots that home has lost: home was put back")
    #expect(lags["cloud"]?.hint == "Run `holdfast scrub --repair`: it brings back what home has lost.")
    let result = try shop.sync("cloud")
    #expect(result.sources.map { $0.onlyThere.map(\.sequence) } == [[2]])
    #expect(result.isInStep && result.hasMore && result.exitStatus == .incomplete)
    #expect(try shop.expectSound("cloud") == [1, 2, 3])
  }

  // MARK: Notes

  @Test func aRunThatStandsInWritesNoNotes() throws {
    let shop = try ListedShop()
    #expect(try taken(shop, "one", at: "home") == 1)
    #expect(try shop.sync("cloud").isInStep)
    let cloud = try shop.open("cloud")
    let tag = try #require(Tag("kept"))
    TestFiles.write("two", to: shop.shop.source.appending("two"))
    let report = try shop.shop.backup(in: cloud) { $0.tags = [tag] }
    #expect(
      report.problems.map(\.reason) == [
        "the snapshot does not bear its tags: home is away, and notes are written there only"
      ])
    #expect(report.exitStatus == .incomplete)
    #expect(try cloud.notes.revisions(of: report.envelope.source.name) == [])
  }

  @Test func aRunThatStandsInCallsNothingBack() throws {
    let shop = try ListedShop()
    #expect(try taken(shop, "one", at: "home") == 1)
    #expect(try shop.sync("cloud").isInStep)
    #expect(try taken(shop, "two", at: "cloud") == 1001)
    TestFiles.write("three", to: shop.shop.source.appending("three"))
    #expect(try shop.backup(.full, at: "home") == 2)
    try shop.shop.prune(last: 1, in: shop.open("home"))
    #expect(try shop.sync("cloud").isInStep)
    let cloud = try shop.open("cloud")
    let source = try shop.shop.snapshot(in: cloud).sourceName
    let notes = try cloud.notes.read(source).notes
    #expect(notes.notes.contains { $0.removed != nil })
    TestFiles.write("four", to: shop.shop.source.appending("four"))
    let report = try shop.shop.backup(in: cloud)
    #expect(report.envelope.kind == .full)
    #expect(report.reason?.hasSuffix("is removed, and only home can call it back") == true, "\(report.reason ?? "")")
    #expect(try cloud.notes.read(source).notes.revision == notes.revision)
  }

  @Test func notesThatWereWrittenApartAreForAnOperator() throws {
    let shop = try ListedShop()
    #expect(try taken(shop, "one", at: "home") == 1)
    #expect(try shop.sync("cloud").isInStep)
    let snapshot = try shop.shop.snapshot(in: shop.open("home"))
    try shop.open("cloud").notes.pin(snapshot, reason: "away")
    _ = try shop.open("home").notes.tag(snapshot, add: [try #require(Tag("home"))], remove: [])
    #expect(try taken(shop, "two", at: "cloud") == 1001)
    let result = try shop.sync("cloud")
    #expect(
      result.sources.first?.failure?.message
        == "notes were written apart from each other: sources/source/notes/0000001001/notes.json in memory pins \(snapshot.id.short); sources/source/notes/0000000001/notes.json in memory tags \(snapshot.id.short)"
    )
    let hint =
      "Compare `holdfast list --deleted` with `holdfast list --deleted --from TARGET`. To keep what home says, say there again what it lacks (`holdfast tag`, `pin`, `undelete`, `prune`), and remove sources/source/notes/0000001001 in memory; to keep what the target says, remove sources/source/notes/0000000001 in memory. Then run `holdfast sync`."
    #expect(result.sources.first?.failure?.hint == hint)
    #expect(result.exitStatus == .dataLoss)
    #expect(result.sources.map { $0.brought.map(\.sequence) } == [[1001]], "snapshots come home all the same")
    let notes = try shop.open("home").notes.read(snapshot.sourceName).notes
    #expect(notes.revision == 1 && notes[snapshot].tags.map(\.text) == ["home"])
    // As the hint says.
    for key in try shop.store("cloud").contents.keys where key.hasPrefix("sources/source/notes/0000001001") {
      try shop.store("cloud").contents[key] = nil
    }
    #expect(try shop.sync("cloud").isInStep)
  }

  // MARK: Side by side

  @Test func twoTargetsWithTheSameSnapshotBringItOnce() throws {
    for _ in 0..<10 {
      let shop = try ListedShop()
      #expect(try taken(shop, "one", at: "home") == 1)
      for name in ["cloud", "barn"] { #expect(try shop.sync(name).isInStep) }
      #expect(try taken(shop, "two", at: "cloud") == 1001)
      #expect(try shop.sync("barn", from: "cloud").isInStep)
      let (home, turns) = (try shop.open("home"), ReturnTurns())
      let results = Monitor<[TargetResult]>([])
      try SideBySide.run(2, threads: 2) { index in
        let name = ListedShop.names[index + 1]
        let result = try TargetSync(
          from: home, to: name, in: shop.store(name), observer: CountedCopies(), turns: turns
        ).run()
        results.withLock { $0.append(result) }
      }
      let found = results.withLock { $0 }
      let areInStep = found.allSatisfy(\.isInStep)
      #expect(areInStep, "\(found.compactMap(\.cause))")
      #expect(found.flatMap(\.sources).flatMap { $0.brought.map(\.sequence) } == [1001])
    }
  }

  // MARK: The list

  @Test func whatOnlyATargetHasIsNamed() throws {
    let shop = try ListedShop()
    #expect(try taken(shop, "one", at: "home") == 1)
    #expect(try shop.sync("cloud").isInStep)
    func found() throws -> [String] {
      try TargetSync.onlyThere(in: shop.store("cloud"), as: "cloud", of: shop.open("home"))
    }
    #expect(try found() == [])
    #expect(try taken(shop, "two", at: "cloud") == 1001)
    #expect(try found() == ["1 snapshot of source"])
    #expect(try shop.sync("cloud").isInStep)
    #expect(try found() == [])
    let source = try shop.shop.snapshot(in: shop.open("cloud")).sourceName
    try shop.store("home").contents[Keys.manifest(source, 1)] = nil
    #expect(try found() == ["1 snapshot of source"])
  }

  @Test func aTargetThatWasTakenOutGetsNothing() throws {
    let shop = try ListedShop()
    var change = try TargetListChange(shop.open("home"), home: ListedShop.member("home"))
    try change.remove("cloud")
    try change.publish()
    let (_, lags) = try pass(shop, "one", to: ["cloud", "barn"])
    #expect(lags.mapValues { $0 as? TargetError } == ["cloud": .notListed(name: "cloud", revision: 2)])
    #expect(lags["cloud"]?.message == "cloud is not in the list of targets (revision 2)")
    #expect(
      lags["cloud"]?.hint
        == "Take it out of the configuration, or put it into the list again: `holdfast target add cloud`.")
    let result = try shop.sync("cloud")
    #expect(result.failure as? TargetError == .notListed(name: "cloud", revision: 2))
    #expect(result.exitStatus == .incomplete)
    #expect(try shop.expectSound("cloud") == [])
  }

  /// Home was opened, and its list was read, before somebody else changed it.
  @Test func aListThatChangesMeanwhileIsNoLoss() throws {
    let shop = try ListedShop()
    #expect(try taken(shop, "one", at: "home") == 1)
    let opened = try shop.open("home")
    #expect(try opened.targets.newest()?.revision == 1)
    var change = try TargetListChange(shop.open("home"), home: ListedShop.member("home"))
    try change.add(ListedShop.member("shed"))
    try change.publish()
    try TargetSync.copyList(to: shop.store("cloud"), of: shop.open("home"))
    let result = try TargetSync(from: opened, to: "cloud", in: shop.store("cloud"), observer: CountedCopies()).run()
    #expect(result.isInStep, "\(result.cause ?? "")")
  }
}
