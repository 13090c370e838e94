import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A year of nights on a machine that cannot read what it stores, and one day on which somebody who can needs some of
/// it back. By day the year has two months.
@Suite(.timeLimit(.minutes(30))) struct SealedYearTests {
  private static let monthLengths = Trials.first(2, of: [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
  private static let dayCount = monthLengths.reduce(0, +)

  /// The first day of each month, from 1; the last entry is the day after the last month.
  private static let firsts = monthLengths.reduce(into: [1]) { $0.append(($0.last ?? 0) + $1) }

  @Test(.requires(.unprivilegedUser)) func whatAMachineWithoutAnIdentityStoredForAYearComesBack() throws {
    let seed = UInt64.random(in: 0 ... .max)
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    let tool = SealedTool()
    TestFiles.setMode(tool.directory.path, 0o777)
    let recipient = tool.generate("identity")
    let machine = try Unprivileged(tool.tool)
    TestFiles.makeDirectory(tool.directory.appending("home"))
    TestFiles.setMode(tool.directory.appending("home"), 0o777)
    let run = { (arguments: [String]) in
      machine.run(arguments) {
        $0.environment["XDG_CACHE_HOME"] = nil
        $0.environment["HOME"] = tool.directory.appending("home").text
      }
    }
    #expect(run(["init", "--recipient", recipient]).exitStatus == 0)

    var wanted = Set(Self.firsts.map { $0 - 1 }).subtracting([0]).union([1])
    let count = wanted.count + 6
    while wanted.count < count { wanted.insert(Int.random(in: 1...Self.dayCount, using: &random)) }
    var recorded: [Int: TreeDescription] = [:]
    var shop = ChangingShop(at: tool.source, random: random)
    for day in 1...Self.dayCount {
      shop.passDay(day)
      let kind = Self.firsts.contains(day) ? "--full" : "--incremental"
      let result = run(["backup", "source", kind, "--quiet"])
      try #require(result.exitStatus == 0, "day \(day), seed \(seed): \(result.error)")
      #expect(result.error == "", "day \(day): no warning, and so no full in the place of an incremental")
      if wanted.contains(day) { recorded[day] = TreeDescription(of: tool.source) }
    }

    let list = run(["list", "--json"])
    let told = try #require(try JSONSerialization.jsonObject(with: Data(list.outputBytes)) as? [String: Any])
    let snapshots = try #require(told["snapshots"] as? [[String: Any]])
    #expect(snapshots.count == Self.dayCount)
    #expect(snapshots.count { $0["kind"] as? String == "full" } == Self.monthLengths.count)
    let closed = run(["verify", "--data"])
    #expect(closed.exitStatus == 0)
    #expect(closed.output.hasPrefix("sealed, and no identity was named: "))
    #expect(closed.output.contains("\n\(Self.dayCount) of \(Self.dayCount) snapshots sound; "))
    #expect(run(["restore", "--target", "nothing"]).exitStatus == 12, "the machine itself opens nothing")

    let opened = tool.run("verify", "--data", "--identity", "identity")
    #expect(opened.exitStatus == 0, "\(opened.error)")
    #expect(opened.output.hasPrefix("\(Self.dayCount) of \(Self.dayCount) snapshots sound; "))
    for (day, tree) in recorded.sorted(by: { $0.key < $1.key }) {
      let id = try #require(snapshots[day - 1]["id"] as? String)
      #expect(snapshots[day - 1]["sequence"] as? Int == day)
      let result = tool.run("restore", id, "--target", "day-\(day)", "--identity", "identity")
      #expect(result.exitStatus == 0, "day \(day), seed \(seed): \(result.error)")
      let restored = TreeDescription(of: tool.directory.appending("day-\(day)"))
      #expect(restored.differences(from: tree) == [], "day \(day), seed \(seed)")
      TestFiles.removeTree(tool.directory.appending("day-\(day)"))
    }
    #expect(recorded.count == count)
  }
}

/// A small shop whose directory is another one every evening.
private struct ChangingShop {
  private let directory: Path
  private var random: SeededRandom
  private var pageCount = 24

  private var database: Path { directory.appending("orders.db") }
  private var log: Path { directory.appending("shop.log") }

  init(at directory: Path, random: SeededRandom) {
    self.directory = directory
    self.random = random
    TestFiles.write(self.random.text(pageCount * 4096), to: database)
    TestFiles.makeDirectory(directory.appending("invoices"))
  }

  mutating func passDay(_ day: Int) {
    // Orders change pages in the middle and append some.
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let page = Int.random(in: 0..<pageCount, using: &random)
      TestFiles.overwrite(database, at: page * 4096 + Int.random(in: 0..<4000, using: &random), with: random.bytes(64))
    }
    if Bool.random(using: &random) {
      TestFiles.overwrite(database, at: pageCount * 4096, with: random.text(4096))
      pageCount += 1
    }
    TestFiles.write("invoice of day \(day)", to: directory.appending("invoices/\(day)"))
    let old = directory.appending("invoices/\(day - Int.random(in: 1...60, using: &random))")
    if Int.random(in: 0..<3, using: &random) == 0 { TestFiles.remove(old) }
    if day % 7 == 0 { TestFiles.rename(log, to: directory.appending("shop.log.1")) }
    TestFiles.write((TestFiles.read(log) ?? []) + random.text(300), to: log)
    if day % 30 == 0 {
      TestFiles.remove(directory.appending("current"))
      TestFiles.symbolicLink("invoices/\(day)", at: directory.appending("current"))
      TestFiles.setMode(directory.appending("orders.db"), day % 60 == 0 ? 0o644 : 0o664)
    }
  }
}
