import HoldfastQuery
import HoldfastTestSupport
import Testing

/// The search finds what a look at every snapshot finds, with few looks.
@Suite struct BisectSearchTests {
  private typealias Outcome = BisectSearch.Outcome

  private func search(_ answers: [BisectAnswer], linear: Bool = false) throws -> (Outcome, looks: Int) {
    var looks = 0
    var search = BisectSearch(count: answers.count) { index in
      looks += 1
      return answers[index]
    }
    return (try linear ? search.linear() : search.binary(), looks)
  }

  /// Answers by letters: h, f, u and s.
  private func answers(_ text: String) -> [BisectAnswer] {
    text.map { $0 == "h" ? .holds : $0 == "f" ? .fails : $0 == "u" ? .unanswerable("no table") : .skipped("damaged") }
  }

  /// First snapshots without the table, then some that hold, then some that fail, with some that say nothing.
  @Test(arguments: Trials.seeds(byDay: 30, atNight: 1000)) func whatHeldUpToAMomentIsFound(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let (early, holding, failing) = (
      Int.random(in: 0...20, using: &random), Int.random(in: 1...40, using: &random),
      Int.random(in: 0...40, using: &random)
    )
    let isTakenAway = Bool.random(using: &random) && early == 0
    var all = answers(
      String(repeating: "u", count: early) + String(repeating: "h", count: holding)
        + String(repeating: isTakenAway ? "u" : "f", count: failing))
    let isSkipping = Bool.random(using: &random)
    for index in all.indices where isSkipping && Int.random(in: 0..<6, using: &random) == 0 {
      all[index] = .skipped("damaged")
    }
    let (found, looks) = try search(all)
    let linear = try search(all, linear: true)
    #expect(found == linear.0)
    #expect(linear.looks == all.count)
    let logarithm = Int.bitWidth - all.count.leadingZeroBitCount
    #expect(isSkipping || looks <= 2 + logarithm, "\(looks) of \(all.count)")
  }

  @Test(arguments: [
    ("", Outcome.nowhere), ("s", .nowhere), ("h", .holds(0)), ("f", .nowhere), ("u", .nowhere),
    ("hs", .holds(0)), ("hhf", .found(holding: 1, failing: 2)), ("hssf", .found(holding: 0, failing: 3)),
    ("uhu", .nowhere), ("uuff", .nowhere), ("uhff", .found(holding: 1, failing: 2)),
    ("hhuu", .found(holding: 1, failing: 2)),
    ("shfs", .found(holding: 1, failing: 2)), ("huf", .found(holding: 0, failing: 1)),
    ("hhuuff", .found(holding: 1, failing: 2)),
  ])
  private func theEndsOfAHistory(_ text: String, _ outcome: Outcome) throws {
    #expect(try search(answers(text)).0 == outcome)
  }

  @Test(arguments: [
    ("uhu", Outcome.found(holding: 1, failing: 2)), ("fhfhf", .found(holding: 3, failing: 4)), ("fhfh", .holds(3)),
    ("uuff", .nowhere), ("hssu", .found(holding: 0, failing: 3)),
  ])
  private func everySnapshotIsExaminedWhereTheSearchWouldMissTheChange(_ text: String, _ outcome: Outcome) throws {
    #expect(try search(answers(text), linear: true).0 == outcome)
  }
}
