import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestSupport
import Testing

/// What status says of the runs that the journal remembers. What it does not remember is unknown, never 0.
@Suite struct StatusRunTests {
  // MARK: Proof

  @Test func whatTheJournalDoesNotReachIsUnknown() throws {
    var sample = try StatusSample()
    try sample.take(2000)
    #expect(sample.status().provedShare == nil, "there is no journal")
    sample.run(.backup, 100)
    #expect(sample.status().provedShare == nil, "it begins after the snapshot, and does not look back thirty days")
    #expect(sample.status(proveWithin: 50).provedShare == 0, "it looks back for so long")
    sample.journal = []
    sample.run(.backup, 2001)
    #expect(sample.status().provedShare == 0)
  }

  @Test func aVerifyProvesWhatWasThereBeforeIt() throws {
    var sample = try StatusSample()
    try sample.take(100, bytes: 3000)
    sample.verify(50)
    #expect(sample.status().provedShare == 1)
    try sample.take(10, on: 0, bytes: 1000)
    #expect(sample.status().provedShare == 0.75)
    sample.verify(5, share: 0)
    #expect(sample.status().provedShare == 0.75, "one without data proves no byte")
    sample.verify(4, .dataLoss)
    sample.verify(3, .failed)
    #expect(sample.status().provedShare == 0.75, "neither does one that found damage, or failed")
    sample.verify(2, .repairableDamage)
    #expect(sample.status().provedShare == 1)
    #expect(sample.status(proveWithin: 1).provedShare == 0)
  }

  @Test func randomSharesAddUpAsChancesDo() throws {
    var sample = try StatusSample()
    try sample.take(1000)
    for day in 0..<2 { sample.verify(Double(day) * 24 + 1, share: 0.5) }
    #expect(sample.status().provedShare == 0.75)
  }

  @Test func sharesThatFollowOnEachOtherAddUp() throws {
    var sample = try StatusSample()
    try sample.take(1000)
    func prove(_ hoursAgo: Double, from begin: Double?, _ share: Double) {
      sample.run(.verify, hoursAgo) { ($0.share, $0.begin) = (share, begin) }
    }
    prove(40, from: 0.75, 0.5)
    #expect(sample.status().provedShare == 0.5, "behind the end the order begins again")
    prove(30, from: 0.25, 0.25)
    #expect(sample.status().provedShare == 0.75)
    prove(20, from: 0.125, 0.25)
    #expect(sample.status().provedShare == 0.75, "what is proved twice counts once")
    prove(10, from: nil, 0.5)
    #expect(sample.status().provedShare == 0.875, "what is drawn counts by chance")
    prove(5, from: 0.5, 0.25)
    #expect(sample.status().provedShare == 1)
    #expect(sample.status(proveWithin: 7).provedShare == 0.25)
  }

  @Test func aVerifyOfOneSnapshotProvesItsChain() throws {
    var sample = try StatusSample()
    try sample.take(100)
    try sample.take(90, on: 0)
    try sample.take(80)
    try sample.take(70, on: 2)
    sample.verify(10, of: 1)
    #expect(sample.status().provedShare == 0.5)
  }

  @Test func theBytesOfAMergedFullAreProvedAfterItWasMade() throws {
    var sample = try StatusSample()
    try sample.take(100)
    sample.verify(50)
    try sample.merge(0, 10)
    #expect(sample.status().provedShare == 0.5)
  }

  @Test func onlyWhatIsOldEnoughIsDueForProof() throws {
    var sample = try StatusSample()
    try sample.take(10)
    #expect(sample.status(proveWithin: 24).missed == [])
    try sample.take(30, sequence: 2)
    #expect(sample.status(proveWithin: 24).missed.map(\.text) == ["no verify has proved its data within 24 h"])
    sample.verify(20, share: 0.9)
    #expect(
      sample.status(proveWithin: 24).missed.map(\.text) == ["only 90.0 % of its data was proved within 24 h"])
    sample.verify(10, share: 0.9)
    #expect(sample.status(proveWithin: 24).missed == [], "99 in 100 are enough")
  }

  struct LastVerify: Sendable {
    let status: HoldfastModel.ExitStatus
    var level: SourceStatus.Concern.Level?
    var text: String?
  }

  @Test(arguments: [
    LastVerify(status: .dataLoss, level: .critical, text: "a verify 9 h 59 min ago found damage that costs data"),
    LastVerify(status: .repairableDamage, level: .warning, text: "the last verify found damage that costs no data"),
    LastVerify(status: .wrongKey, level: .warning, text: "the last verify failed: a reason"),
    LastVerify(status: .done),
  ])
  func theLastVerifyIsAConcern(_ last: LastVerify) throws {
    let (status, level, text) = (last.status, last.level, last.text)
    var sample = try StatusSample()
    try sample.take(30)
    sample.verify(20, .failed)
    sample.run(.verify, 10, status) {
      $0.share = 1
      if status != .done { $0.keep(texts: ["a reason"]) }
    }
    sample.run(.backup, 9, .locked)
    #expect(sample.status().concerns.map(\.text) == (text.map { [$0] } ?? []))
    #expect(sample.status().level == level)
    let last = sample.status().lastVerify
    #expect(last?.status == status.rawValue && last?.age == .seconds(35_999))
  }

  /// A verify of manifests each night must not hide what the one of data found on Sunday.
  @Test func damageStandsUntilAsMuchWasReadAgain() throws {
    var sample = try StatusSample()
    try sample.take(100)
    try sample.take(90)
    sample.verify(50, share: 0.05, .dataLoss)
    sample.verify(40, share: 0)
    sample.verify(30, share: 0.5)
    sample.verify(20, of: 0)
    sample.verify(10, .interrupted)
    #expect(
      sample.status().concerns.map(\.text) == [
        "a verify 2 d 1 h ago found damage that costs data", "the last verify failed",
      ])
    #expect(sample.status().level == .critical)
    sample.verify(5, .repairableDamage)
    #expect(sample.status().concerns.map(\.text) == ["the last verify found damage that costs no data"])
    sample.verify(4, share: 0, .dataLoss)
    #expect(sample.status().level == .critical)
    sample.verify(3, share: 0)
    #expect(sample.status().level == nil, "manifests are all that was damaged")
  }

  // MARK: Restore

  @Test func theSpeedIsThatOfTheLastRestores() throws {
    var sample = try StatusSample()
    try sample.take(30)
    #expect(sample.status().speed == nil && sample.status().restoreDuration == nil)
    sample.verify(20)
    let verified = sample.status()
    let reading = try #require(verified.speed)
    #expect(reading.basis == .verifies && reading.runs == 1 && reading.bytesPerSecond == 4000)
    #expect(verified.restoreDuration == .milliseconds(250), "of the stored bytes of the chain")
    sample.run(.restore, 19) { ($0.restoredBytes, $0.isDelta) = (9_000_000, true) }
    sample.run(.restore, 18, .failed) { $0.restoredBytes = 9_000_000 }
    sample.run(.restore, 17) { ($0.restoredBytes, $0.took) = (9_000_000, .zero) }
    sample.run(.restore, 16)
    #expect(sample.status().speed?.basis == .verifies, "none of these was measured")
    sample.run(.restore, 15) { ($0.restoredBytes, $0.took) = (1, .seconds(1000)) }
    for hours in [14.0, 13, 12, 11] { sample.run(.restore, hours, .incomplete) { $0.restoredBytes = 10_000 } }
    sample.run(.drill, 10) { ($0.restoredBytes, $0.took) = (60_000, .seconds(6)) }
    let restored = sample.status()
    let writing = try #require(restored.speed)
    #expect(writing.basis == .restores && writing.runs == 5 && writing.bytesPerSecond == 10_000)
    #expect(restored.restoreDuration == .seconds(100), "of the bytes that it stands for")
  }

  // MARK: Availability and failures

  @Test func availabilityIsTheShareOfTimeWithAYoungSnapshot() throws {
    var sample = try StatusSample()
    // Begun 100, 50 and 40 hours ago: with 20 hours allowed 100 to 80, and 50 to 20 are covered.
    for hours in [100.0, 50, 40] {
      let index = try sample.take(hours)
      let id = sample.snapshots[index].id
      sample.run(.backup, hours) { $0.snapshot = id }
    }
    let share = try #require(sample.status(maxAge: 20).availability)
    #expect(abs(share - 0.5) < 0.001)
    #expect(sample.status().availability == nil, "nothing is promised")
    sample.snapshots = []
    #expect(sample.status(maxAge: 20).availability == share, "also when they were pruned since")
    sample.journal = []
    #expect(sample.status(maxAge: 20).availability == nil, "nothing is remembered")
  }

  /// A machine without a battery wakes up in 1970 now and then.
  @Test func oneWrongClockMakesNoLongMemory() throws {
    var sample = try StatusSample()
    for hours in [100.0, 500_000, 50, -30] { sample.run(.backup, hours) }
    #expect(sample.status().remembered == .hours(100))
    sample.journal.removeFirst(3)
    #expect(sample.status().remembered == nil)
  }

  @Test func whatFailedOrIsIncompleteMakesNothingAvailable() throws {
    var sample = try StatusSample()
    sample.run(.backup, 100, .failed)
    sample.run(.backup, 50, .incomplete) {
      $0.snapshot = Identifier(bytes: [UInt8](repeating: 1, count: 16))
      $0.incomplete = 1
    }
    #expect(sample.status(maxAge: 1000).availability == 0)
    #expect(sample.status(maxAge: 1000).failureRate == 0.5)
  }

  @Test func runsThatFoundAnotherOneAtWorkDoNotCount() throws {
    var sample = try StatusSample()
    for status in [
      HoldfastModel.ExitStatus.done, .locked, .incomplete, .interrupted, .locked, .wrongKey, .repairableDamage,
    ] {
      sample.run(.backup, 10, status)
    }
    #expect(sample.status().runs == 5 && sample.status().failedRuns == 2)
  }

  @Test func failuresInARowAreSaid() throws {
    var sample = try StatusSample()
    try sample.take(30)
    sample.run(.backup, 30)
    sample.run(.backup, 20, .failed) { $0.keep(texts: ["the disk is gone"]) }
    #expect(sample.status().concerns.map(\.text) == ["the last backup failed: the disk is gone"])
    sample.run(.verify, 19)
    sample.run(.backup, 18, .locked)
    sample.run(.backup, 17, .interrupted)
    #expect(sample.status().concerns.map(\.text) == ["the last 2 backups failed"])
    sample.run(.backup, 16, .incomplete)
    #expect(sample.status().failedBackups == 0)
  }

  @Test func aDamagedJournalIsAWarning() throws {
    var sample = try StatusSample()
    try sample.take(30)
    sample.journalDamage = ["journal/orders/0000000002 is damaged: it is not a journal"]
    #expect(sample.status().concerns.map(\.text) == sample.journalDamage)
    #expect(sample.status().level == .warning)
  }

  // MARK: Whatever comes

  @Test func noHistoryGivesAFigureThatIsNone() throws {
    let commands: [RunCommand] = [.backup, .merge, .verify, .prune, .restore, .drill]
    for seed in UInt64(900)..<1000 {
      var random = SeededRandom(seed: seed)
      var sample = try StatusSample()
      func hours() -> Double { Double(random.next() % 4000) / 2 - 50 }
      for _ in 0..<random.next() % 12 {
        let count = sample.snapshots.count
        let parent = random.next() % 3 == 0 || count == 0 ? nil : Int(random.next() % UInt64(count))
        try sample.take(hours(), on: parent, bytes: random.next() % 10_000) { $0.incomplete = random.next() % 3 }
      }
      if random.next() % 3 == 0, !sample.snapshots.isEmpty { sample.snapshots.removeFirst() }
      for _ in 0..<random.next() % 20 {
        let id = sample.snapshots.randomElement(using: &random)?.id
        sample.run(
          commands.randomElement(using: &random) ?? .backup, hours(),
          HoldfastModel.ExitStatus.allCases.randomElement(using: &random) ?? .done
        ) {
          $0.snapshot = random.next() % 2 == 0 ? id : nil
          $0.share = random.next() % 2 == 0 ? Double(random.next() % 101) / 100 : nil
          ($0.provedBytes, $0.restoredBytes) = (random.next() % 1000, random.next() % 1000)
          $0.took = .milliseconds(Double(random.next() % 1000))
        }
      }
      let status = sample.status(
        maxAge: Double(random.next() % 100), maxChain: Int(random.next() % 4), proveWithin: Double(random.next() % 900))
      for share in [status.provedShare, status.availability, status.failureRate] {
        #expect(share.map { (0...1).contains($0) } ?? true, "seed \(seed): \(String(describing: share))")
      }
      for amount in [
        status.growthPerDay, status.restoreDuration?.seconds, status.speed?.bytesPerSecond, status.completeAge?.seconds,
        status.newest?.age?.seconds,
        status.remembered?.seconds,
      ] {
        #expect(amount.map { $0.isFinite && $0 >= 0 } ?? true, "seed \(seed): \(String(describing: amount))")
      }
      #expect(status.restorable <= status.snapshots && status.backupDegree <= status.snapshots, "seed \(seed)")
      #expect(status.failedRuns <= status.runs && status.runs <= sample.journal.count, "seed \(seed)")
      #expect(status.missed.isEmpty || status.level == .critical, "seed \(seed)")
    }
  }
}
