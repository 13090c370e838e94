import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A copy counts when it was proved, and what fails together counts once.
struct RedundancyStatusTests {
  private let proved = HeldCopy.Evidence.proved(within: .days(8))

  private func status(_ copies: [HeldCopy], sourceSite: String? = "office") throws -> RedundancyStatus {
    RedundancyStatus(
      try #require(SourceName("orders")), copies, window: .days(8), repair: .days(9), sourceSite: sourceSite)
  }

  private func line(
    _ rule: RedundancyStatus.RuleLine.Rule, _ status: RedundancyStatus
  ) throws
    -> RedundancyStatus.RuleLine
  {
    try #require(status.rule.first { $0.rule == rule })
  }

  private static func day(_ number: Int64) -> Timestamp { Timestamp(seconds: number * 86_400, nanoseconds: 0) }

  private func here(_ evidence: HeldCopy.Evidence) -> HeldCopy {
    HeldCopy("here", evidence, domains: [.site: "office"], medium: "disk", removal: .allowed(tried: Self.day(1)))
  }

  private func cloud(_ evidence: HeldCopy.Evidence, account: String = "y") -> HeldCopy {
    HeldCopy(
      "cloud", evidence, domains: [.site: "fra", .provider: "x", .account: account], medium: "object storage",
      removal: .refused(tried: Self.day(1), until: Self.day(31)))
  }

  @Test func theRuleIsMetByTwoIndependentCopies() throws {
    let status = try status([here(proved), cloud(proved)])
    #expect(status.proved == 2)
    #expect(status.systemDegree == 2)
    #expect(status.rule.map(\.isMet) == [true, true, true, true, true])
    #expect(
      status.rule.map(\.text) == [
        "the source, here, cloud", "disk, object storage", "cloud (fra)",
        "cloud refused a removal on 1970-01-02, and the newest snapshot is locked until 1970-02-01",
        "all copies were proved within 8 d",
      ])
  }

  /// A copy that is only listed may be damaged: it is no degree.
  @Test func aCopyThatWasNotProvedDoesNotCount() throws {
    let status = try status([here(proved), cloud(.listed(provedShare: 0.4))])
    #expect(status.proved == 1)
    #expect(status.listed == 2)
    #expect(status.systemDegree == 1)
    #expect(status.rule.map(\.isMet) == [false, false, false, false, nil])
    #expect(try line(.errors, status).text == "not proved within 8 d: cloud")
  }

  @Test func damageIsAnError() throws {
    let status = try status([here(proved), cloud(.damaged)])
    #expect(try line(.errors, status).isMet == false)
    #expect(try line(.errors, status).text == "damage at cloud")
  }

  /// Two buckets of one account are closed on one day.
  @Test func targetsThatShareAnAccountCountOnce() throws {
    let second = HeldCopy(
      "second", proved, domains: [.site: "ber", .provider: "x", .account: "y"], medium: "object storage")
    let status = try status([cloud(proved), second])
    #expect(status.proved == 2)
    #expect(status.proved(by: .account) == 1)
    #expect(status.proved(by: .site) == 2)
    #expect(status.systemDegree == 1)
    #expect(try line(.copies, status).isMet == false)
    #expect(try line(.copies, status).text == "the source, cloud; cloud and second share the account y")
  }

  @Test func whatNobodySaidIsUnknown() throws {
    let plain = HeldCopy("there", proved, medium: "disk")
    #expect(try line(.offSite, status([plain], sourceSite: nil)).isMet == nil)
    #expect(try line(.offSite, status([plain])).isMet == nil)
    #expect(try line(.immutable, status([plain])).isMet == nil)
    #expect(try line(.immutable, status([plain])).text == "no removal was tried within 8 d at there")
  }

  // MARK: Removals

  private func removal(
    _ outcome: RemovalTrial.Outcome?, triedOn day: Int64 = 20, lockedUntil end: Int64? = nil
  ) -> HeldCopy.Removal {
    HeldCopy.Removal(
      outcome.map { RemovalTrial($0, at: Self.day(day)) }, since: Self.day(10), lockedUntil: end.map(Self.day),
      now: Self.day(30))
  }

  @Test func aTrialCountsWithinTheWindow() {
    #expect(removal(.appendOnly) == .refused(tried: Self.day(20)))
    #expect(removal(.appendOnly, triedOn: 9) == .untried)
    #expect(removal(nil) == .untried)
    #expect(removal(.removed) == .allowed(tried: Self.day(20)))
  }

  /// A lock that works is of no use to a snapshot that it does not cover any more.
  @Test func aLockCountsUntilItsEnd() {
    #expect(removal(.objectLock, lockedUntil: 31) == .refused(tried: Self.day(20), until: Self.day(31)))
    #expect(removal(.objectLock, lockedUntil: 30) == .allowed(tried: Self.day(20)))
    #expect(removal(.objectLock) == .allowed(tried: Self.day(20)))
  }

  @Test func theLastTrialIsRememberedForEachPlace() throws {
    let machine = try TestShop().open().machine
    let trial = RemovalTrial(.objectLock, at: Self.day(20), lockedUntil: Self.day(50))
    try machine.remember(trial, at: "cloud", in: "s3:one")
    #expect(machine.trial(at: "cloud", in: "s3:one") == trial)
    #expect(machine.trial(at: "cloud", in: "s3:other") == nil && machine.trial(at: "barn", in: "s3:one") == nil)
    #expect(trial.lockedUntil == Self.day(50) && trial.time == Self.day(20))
  }

  @Test func withoutAnyProvedCopyTheDegreesAreZero() throws {
    let status = try status([here(.unknown(reason: "it does not answer")), cloud(.missing)])
    #expect(status.proved == 0)
    #expect(status.systemDegree == 0)
    #expect(status.estimate.perYear == nil)
  }
}
