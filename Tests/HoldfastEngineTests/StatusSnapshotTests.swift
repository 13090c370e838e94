import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestSupport
import Testing

/// What status says of the snapshots of a source, and how it judges them.
@Suite struct StatusSnapshotTests {
  @Test func aSourceWithoutSnapshotsIsAConcernAndMissesAnAgeOnly() throws {
    let sample = try StatusSample()
    let free = sample.status()
    #expect(free.missed == [] && free.newest == nil && free.restoreDuration == nil && free.failureRate == nil)
    #expect(free.concerns.map(\.text) == ["there is no snapshot"] && free.level == .critical)
    let judged = sample.status(maxAge: 24, maxChain: 1, proveWithin: 24)
    #expect(judged.missed.map(\.text) == ["there is no snapshot, and 24 h are allowed"])
    #expect(judged.concerns.map(\.text) == judged.missed.map(\.text))
  }

  @Test func whereNothingIsPromisedNothingIsMissed() throws {
    var sample = try StatusSample()
    try sample.take(20_000)
    #expect(sample.status().missed == [])
    #expect(sample.status().level == nil)
  }

  @Test func theAgeIsThatOfTheNewest() throws {
    var sample = try StatusSample()
    try sample.take(50)
    try sample.take(26.05, on: 0)
    #expect(sample.status(maxAge: 26.1).missed == [])
    let late = sample.status(maxAge: 26)
    #expect(late.missed.map(\.text) == ["the newest complete snapshot is 26 h 3 min old, and 26 h are allowed"])
    #expect(late.missed.map(\.objective) == [.age])
    #expect(late.level == .critical)
    #expect(late.newest?.age == .hours(26.05) && late.completeAge == .hours(26.05))
  }

  /// What could not be captured whole keeps no promise.
  @Test func anIncompleteSnapshotDoesNotCountAsYoung() throws {
    var sample = try StatusSample()
    try sample.take(30)
    try sample.take(1, on: 0) { ($0.incomplete, $0.consistency) = (2, .torn) }
    let status = sample.status(maxAge: 24)
    #expect(status.newest?.age == .hours(1) && status.completeAge == .hours(30))
    #expect(
      status.concerns.map(\.text) == [
        "the newest complete snapshot is 30 h old, and 24 h are allowed",
        "the newest snapshot is incomplete: 2 paths, torn",
      ])
    #expect(status.concerns.map(\.level) == [.critical, .warning])
    #expect(sample.status(maxAge: 31).level == .warning)
  }

  /// A snapshot to rely on is complete and sound, and nothing before it looks wrong: what comes after contains it.
  @Test func theLastGoodSnapshotIsOneToRelyOn() throws {
    var sample = try StatusSample()
    try sample.take(50)
    try sample.take(40, on: 0)
    try sample.take(30)
    try sample.take(20, on: 2) { ($0.incomplete, $0.consistency) = (2, .torn) }
    #expect(sample.status().lastGoodAge == .hours(30))
    sample.suspicious = [sample.snapshots[2].id]
    try sample.take(10, on: 2)
    #expect(sample.status().lastGoodAge == .hours(40), "the next one looks usual beside the wrong one")
    #expect(sample.status().completeAge == .hours(10))
    sample.notedDamage = [sample.snapshots[0].id]
    #expect(sample.status().lastGoodAge == nil, "the other one builds on it")
    sample.suspicious = []
    #expect(sample.status().lastGoodAge == .hours(10))
    try sample.take(-2)
    #expect(sample.status().lastGoodAge == .hours(10), "a time ahead of this clock is none")
  }

  @Test func aMergedFullCountsInThePlaceOfWhatItStandsFor() throws {
    var sample = try StatusSample()
    try sample.take(50)
    try sample.take(40, on: 0)
    try sample.merge(1, 1)
    let status = sample.status(maxAge: 45, maxChain: 1)
    #expect(status.newest?.sequence == 3 && status.newest?.age == .hours(40) && status.newest?.chainLength == 1)
    #expect(status.missed == [])
    #expect(status.backupDegree == 2 && status.restorable == 3)
    try sample.take(30, on: 2)
    try sample.merge(0, 0.5)
    #expect(sample.status().newest?.sequence == 4, "the merge of an older one is not the newest")
  }

  // MARK: Clocks

  @Test func aSnapshotFromTheFutureIsNamedAndKeepsNoPromise() throws {
    var sample = try StatusSample()
    try sample.take(-100)
    let alone = sample.status(maxAge: 24)
    #expect(alone.newest?.age == nil && alone.completeAge == nil)
    #expect(
      alone.concerns.map(\.text) == [
        "the age of the newest complete snapshot is unknown, and 24 h are allowed",
        "the time of the newest snapshot lies ahead of this machine's clock",
      ])
    sample = try StatusSample()
    try sample.take(3)
    try sample.take(-100, on: 0)
    let beside = sample.status(maxAge: 24)
    #expect(beside.missed == [] && beside.completeAge == .hours(3) && beside.level == .warning)
  }

  @Test func clocksMayDifferByAMinute() throws {
    var sample = try StatusSample()
    try sample.take(-0.01)
    #expect(sample.status(maxAge: 1).newest?.age == .zero)
    #expect(sample.status(maxAge: 1).level == nil)
  }

  // MARK: Chains

  @Test func theChainIsCounted() throws {
    var sample = try StatusSample()
    try sample.take(10, bytes: 5000)
    for index in 0..<6 { try sample.take(9 - Double(index), on: index, bytes: 10) }
    let status = sample.status(maxChain: 6)
    #expect(status.newest?.chainLength == 7 && status.newest?.chainBytes == 5060)
    #expect(
      status.missed.map(\.text) == ["the chain of the newest snapshot has 7 snapshots, and 6 are allowed"])
    #expect(sample.status(maxChain: 7).missed == [])
    #expect(status.redundancyDegree == 1 && status.backupDegree == 1 && status.storedBytes == 5060)
  }

  /// The manifest of one link is damaged: what builds on it cannot be restored, the others can.
  @Test func aChainWithAHoleIsUnknownNotShort() throws {
    var sample = try StatusSample()
    for hours in [30.0, 20, 10] {
      try sample.take(hours, on: sample.snapshots.isEmpty ? nil : sample.snapshots.count - 1)
    }
    sample.snapshots.remove(at: 1)
    sample.damage = ["sources/orders/0000000002/manifest.json is damaged: it is cut short", "something else"]
    let status = sample.status(maxChain: 100)
    #expect(status.newest?.chainLength == nil && status.snapshots == 2 && status.restorable == 1)
    #expect(
      status.concerns.map(\.text) == [
        "the length of the chain of the newest snapshot is unknown",
        "sources/orders/0000000002/manifest.json is damaged: it is cut short (and 1 more)",
      ])
    #expect(status.level == .critical)
  }

  @Test func anotherParentUnderTheSameIDIsNoParent() throws {
    var sample = try StatusSample()
    try sample.take(30)
    try sample.take(20, on: 0)
    var forged = sample.snapshots[0].envelope
    forged.program = "another"
    sample.snapshots[0] = try Snapshot(parsing: forged.serialized(), name: "m")
    #expect(sample.status().restorable == 1)
  }

  // MARK: Anomalies

  @Test func whatDoesNotLookLikeANormalDayIsAWarning() throws {
    var sample = try StatusSample()
    for hours in [30.0, 20] {
      let index = try sample.take(hours) {
        $0.comparison = Envelope.Comparison(entries: 100, bytes: 100, samples: 0, denseSamples: 0)
        $0.comparison?.anomalies = [Anomaly(kind: .massDeletion, share: 900, usual: nil)]
      }
      sample.suspicious.insert(sample.snapshots[index].id)
    }
    let ids = sample.snapshots.map(\.id)
    let what = "mass deletion: 90 % of its entries are gone"
    #expect(sample.status().suspicions.map(\.id) == [ids[1], ids[0]])
    #expect(
      sample.status().concerns.map(\.text) == [
        "snapshot \(ids[1].short) does not look like a normal day: \(what) (and 1 more); if it was meant, `holdfast accept \(ids[1].short)`"
      ])
    #expect(sample.status().level == .warning)
    sample.suspicious = []
    #expect(sample.status().level == nil, "all were accepted")
  }

  // MARK: Growth

  @Test func growthIsWhatCameSinceTheOldest() throws {
    var sample = try StatusSample()
    try sample.take(0.5, bytes: 1 << 30)
    #expect(sample.status().growthPerDay == nil, "half an hour tells nothing")
    sample = try StatusSample()
    try sample.take(48, bytes: 1 << 30)
    for index in 0..<4 { try sample.take(36 - Double(index) * 10, on: index, bytes: 500) }
    let growth = try #require(sample.status().growthPerDay)
    #expect(abs(growth - 1000) < 0.1)
  }

  @Test func growthLooksBackThirtyDays() throws {
    var sample = try StatusSample()
    for day in stride(from: 99.0, through: 0, by: -1) {
      try sample.take(day * 24 + 12, on: sample.snapshots.isEmpty ? nil : 0, bytes: day < 30 ? 100 : 1_000_000)
    }
    #expect(try #require(sample.status().growthPerDay) == 100)
  }
}
