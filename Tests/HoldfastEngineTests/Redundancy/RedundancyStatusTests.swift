import HoldfastEngine
import HoldfastModel
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

  private func here(_ evidence: HeldCopy.Evidence) -> HeldCopy {
    HeldCopy("here", evidence, domains: [.site: "office"], medium: "disk", removal: .allowed)
  }

  private func cloud(_ evidence: HeldCopy.Evidence, account: String = "y") -> HeldCopy {
    HeldCopy(
      "cloud", evidence, domains: [.site: "fra", .provider: "x", .account: account], medium: "object storage",
      removal: .refused)
  }

  @Test func theRuleIsMetByTwoIndependentCopies() throws {
    let status = try status([here(proved), cloud(proved)])
    #expect(status.proved == 2)
    #expect(status.systemDegree == 2)
    #expect(status.rule.map(\.isMet) == [true, true, true, true, true])
    #expect(
      status.rule.map(\.text) == [
        "the source, here, cloud", "disk, object storage", "cloud (fra)", "cloud refused a removal",
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
    #expect(try line(.immutable, status([plain])).text == "no removal was tried at there")
  }

  @Test func withoutAnyProvedCopyTheDegreesAreZero() throws {
    let status = try status([here(.unknown(reason: "it does not answer")), cloud(.missing)])
    #expect(status.proved == 0)
    #expect(status.systemDegree == 0)
    #expect(status.estimate.perYear == nil)
  }
}
