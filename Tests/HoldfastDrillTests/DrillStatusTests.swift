import Foundation
import HoldfastArchive
import HoldfastConfiguration
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
import HoldfastReport
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What drills tell of a source: how long a restore takes, and how sure that is.
@Suite struct DrillStatusTests {
  private static let now = Timestamp(seconds: 1_800_000_000, nanoseconds: 0)
  private let name = SourceName(from: Path("orders"))

  private func entry(_ hoursAgo: Double, passed: Bool = true, seconds: Double = 60) -> JournalEntry {
    let began = Timestamp(seconds: Self.now.seconds - Int64(hoursAgo * 3600), nanoseconds: 0)
    var entry = JournalEntry(
      command: .drill, host: "shop-1", began: began, ended: began, took: .seconds(seconds),
      status: passed ? 0 : 22)
    entry.drill = DrillEvidence(
      passed: passed, phases: [DrillEvidence.Phase("restore", took: .seconds(seconds))],
      restoreTime: .seconds(seconds), databases: 1, assertions: 2)
    if !passed { entry.texts = ["orders.db is not what it was"] }
    return entry
  }

  private func status(_ entries: [JournalEntry], _ change: (inout Objectives) -> Void = { _ in }) -> SourceStatus {
    var objectives = Objectives()
    change(&objectives)
    let facts = StatusComputation.Facts(name, snapshots: [], journal: entries)
    return StatusComputation(facts, objectives, now: Self.now).run()
  }

  // MARK: The bound

  /// 1 − 0.05^(1/n): 0.6316 for 3, about 3/n for many; nothing below three.
  @Test func theBoundIsTheExactRuleOfThree() throws {
    for count in 0...2 { #expect(DrillStatus.failureRateBound(passed: count) == nil) }
    for count in [3, 4, 10, 59, 300, 512] {
      let bound = try #require(DrillStatus.failureRateBound(passed: count))
      #expect(abs(bound - (1 - pow(0.05, 1 / Double(count)))) < 1e-12, "\(count)")
    }
    #expect(abs((DrillStatus.failureRateBound(passed: 3) ?? 0) - 0.631597) < 1e-6)
  }

  @Test func aFailureBeginsTheRowAnew() {
    let drills = status([entry(50), entry(40, passed: false), entry(30), entry(20), entry(10)]).drills
    #expect(drills.count == 5 && drills.passed == 4 && drills.passedInRow == 3)
    #expect(drills.failureRateBound == DrillStatus.failureRateBound(passed: 3))
    #expect(status([entry(50), entry(40), entry(30), entry(20, passed: false)]).drills.failureRateBound == nil)
  }

  // MARK: The time of a restore

  @Test func theTimeOfARestoreIsThatOfTheLastFiveThatPassed() {
    let seconds: [Double] = [9000, 50, 10, 40, 20, 30]
    var entries = seconds.enumerated().map { entry(Double(20 - $0), seconds: $1) }
    entries.append(entry(1, passed: false, seconds: 7000))
    let drills = status(entries).drills
    #expect(drills.medianTime == .seconds(30) && drills.worstTime == .seconds(50))
    #expect(status([entry(1, seconds: 10), entry(0, seconds: 20)]).drills.medianTime == .seconds(15))
  }

  // MARK: Judged

  @Test func anObjectiveThatNoDrillShowsToBeMetIsMissed() {
    let change = { (objectives: inout Objectives) in
      objectives.restoreWithin = .minutes(30)
      objectives.drilledWithin = .days(8)
    }
    let never = status([], change)
    #expect(never.missed.map(\.objective) == [.restore, .drill])
    #expect(
      never.missed.map(\.text) == [
        "how long a restore takes is unknown: no drill has passed, and 30 min 0 s are allowed",
        "no drill has passed, and 8 d are allowed",
      ])
    let slow = status([entry(9 * 24, seconds: 1860)], change)
    #expect(
      slow.missed.map(\.text) == [
        "a drill took 31 min 0 s to restore, and 30 min 0 s are allowed",
        "the last drill that passed was 9 d ago, and 8 d are allowed",
      ])
    #expect(status([entry(5)], change).missed.isEmpty)
  }

  @Test func aFailedDrillIsCriticalUntilOnePasses() {
    let failed = status([entry(5), entry(1, passed: false)])
    #expect(
      failed.concerns.contains {
        $0.level == .critical && $0.text == "the last drill failed: orders.db is not what it was"
      })
    #expect(!status([entry(1, passed: false), entry(0)]).concerns.contains { $0.text.contains("drill") })
  }

  // MARK: Shown

  private func lines(_ status: SourceStatus) -> [String] {
    StatusText.lines([status], location: "/backup/shop").filter { $0.contains("drill") || $0.contains("RTO") }
      .map { $0.replacing(/\(\d{4}-.*?\)/, with: "(TIME)").replacing(/[ ]{2,}/, with: "  ") }
  }

  @Test func theStatusTellsOfDrills() {
    #expect(lines(status([])) == ["  drilled  never: RTO unknown"])
    #expect(
      lines(status([entry(3), entry(2, seconds: 90)])) == [
        "  drilled  2 h ago (TIME), passed; 2 of 2 passed; the failure rate is unknown: 3 must pass in a row",
        "  RTO  1 min 15 s (median of 2 drills), 1 min 30 s at worst",
      ])
    #expect(
      lines(status([entry(4), entry(3), entry(2)]))[0]
        == "  drilled  2 h ago (TIME), passed; 3 of 3 passed; with 95 % confidence fewer than 63.2 % of restores fail")
    #expect(
      lines(status([entry(2, passed: false)])).suffix(2) == [
        "  drilled  2 h ago (TIME), FAILED; 0 of 1 passed; the failure rate is unknown: 3 must pass in a row",
        "  RTO  unknown: no drill has passed",
      ])
  }

  @Test func monitoringGetsTheFigures() throws {
    let told = status([entry(4), entry(3), entry(2, seconds: 90)]) {
      ($0.restoreWithin, $0.drilledWithin) = (.minutes(1), .days(8))
    }
    let nagios = NagiosLine([told], told.objectives, location: "/backup/shop").text
    #expect(nagios.hasSuffix(" 'orders_drilled'=7200s;;691200;0 'orders_rto'=90s;;60;0"), "\(nagios)")
    let repository = try #require(Identifier(bytes: [UInt8](repeating: 7, count: 16)))
    let metrics = PrometheusText([told], repository: repository, name: "shop", now: Self.now).text.replacing(
      "repository=\"\(repository)\",", with: ""
    ).replacing("name=\"shop\",", with: "").split(separator: "\n").map(String.init)
    for line in [
      "holdfast_drills{source=\"orders\"} 3", "holdfast_drills_passed{source=\"orders\"} 3",
      "holdfast_drill_exit_status{source=\"orders\"} 0",
      "holdfast_drill_time_seconds{source=\"orders\"} 1799992800",
      "holdfast_drill_restore_seconds{of=\"worst\",source=\"orders\"} 90",
      "holdfast_drill_restore_seconds{of=\"median\",source=\"orders\"} 60",
      "holdfast_objective_missed{objective=\"restore\",source=\"orders\"} 1",
      "holdfast_objective_missed{objective=\"drill\",source=\"orders\"} 0",
    ] {
      #expect(metrics.contains(line), "\(line)")
    }
    #expect(metrics.contains { $0.hasPrefix("holdfast_drill_failure_ratio_bound{source=\"orders\"} 0.6315") })
    let json = try JSONText.line(StatusJSON([told], told.objectives, location: "/backup/shop"))
    #expect(json.contains(#""missed":["restore"]"#))
    #expect(json.contains(#""drillCount":3,"failureRateBound":0.6315"#), "\(json)")
    #expect(
      json.contains(#""medianRestoreSeconds":60,"passedAgeSeconds":"#) && json.contains(#""worstRestoreSeconds":90"#))
  }
}
