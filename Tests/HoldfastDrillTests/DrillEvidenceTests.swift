import HoldfastArchive
import HoldfastCodec
import HoldfastDrill
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What the journal keeps of a drill: older versions read around it, and in a sealed repository nobody invents it.
@Suite struct DrillEvidenceTests {
  private static let evidence = DrillEvidence(
    passed: true, phases: [DrillEvidence.Phase("restore", took: .seconds(61))], restoreTime: .seconds(75), databases: 1,
    assertions: 2)

  private func entry(_ evidence: DrillEvidence? = evidence, secondsAgo: Int64 = 60) -> JournalEntry {
    var began = Timestamp(seconds: 1_790_000_000, nanoseconds: 0)
    began.seconds -= secondsAgo
    var entry = JournalEntry(
      command: .drill, host: "shop-1", began: began, ended: began, took: .seconds(61), status: 0)
    entry.drill = evidence
    return entry
  }

  @Test func anEntryIsReadAsItWasWritten() throws {
    let line = try entry().line()
    #expect(
      String(decoding: line, as: UTF8.self).contains(
        #""drill":{"assertions":2,"databases":1,"passed":true,"phases":[{"name":"restore","took":61000}],"restoreTime":75000}"#
      ))
    #expect(JournalEntry(parsing: line) == entry())
    #expect(try JournalEntry(parsing: entry(nil).line())?.drill == nil)
  }

  @Test func whatNoDrillWritesIsNotRead() throws {
    var long = Self.evidence
    long.phases = (0...DrillEvidence.phasesMax).map { DrillEvidence.Phase("\($0)", took: .zero) }
    #expect(try JournalEntry(parsing: entry(long).line()) == nil)
    var odd = Self.evidence
    odd.phases = [DrillEvidence.Phase("re\u{1b}store", took: .zero)]
    #expect(try JournalEntry(parsing: entry(odd).line()) == nil)
  }

  // MARK: Signed

  private func drills(_ shop: TestShop) throws -> DrillStatus {
    try #require(SourceStatus.read(from: shop.open(), of: nil, { _ in Objectives() }).first).drills
  }

  @Test func inASealedRepositoryOnlyWhatAWriterSignedCounts() throws {
    let shop = try DrillShop(isSealed: true).shop
    let keys = try #require(shop.keys)
    let source = try shop.snapshot().sourceName
    var signed = entry()
    try signed.signDrill(of: source, in: shop.repository.id, by: keys.writer.signing)
    _ = try shop.repository.journal.append(signed, to: source)
    #expect(try drills(shop).count == 1)
    // Somebody who can write to the store invents a drill, changes a signed one, and signs with a key of his own.
    var changed = signed
    changed.drill?.restoreTime = .seconds(1)
    changed.began.seconds += 1
    var foreign = entry(secondsAgo: 30)
    try foreign.signDrill(of: source, in: shop.repository.id, by: TestKeys().writer.signing)
    for forged in [entry(secondsAgo: 20), changed, foreign] {
      _ = try shop.repository.journal.append(forged, to: source)
    }
    let drills = try drills(shop)
    #expect(drills.count == 1 && drills.unsigned == 3 && drills.worstTime == .seconds(75))
    let status = try #require(SourceStatus.read(from: shop.open(), of: nil, { _ in Objectives() }).first)
    #expect(
      status.concerns.contains {
        $0.text == "3 drills in the journal without the signature of a writer, and not counted"
      })
  }

  @Test func aDrillOfASealedRepositoryNeedsAnIdentityLikeARestore() throws {
    let sealed = try DrillShop(isSealed: true)
    #expect(
      try sealed.drill([DrillAssertion("SELECT count(*) FROM orders")], in: sealed.shop.open(as: .owner)).failure == nil
    )
    let failure = #expect(throws: KeyError.self) { try sealed.drill(in: sealed.shop.open(as: .backupHost)) }
    #expect(failure?.exitStatus == .wrongKey)
    #expect(!TestFiles.exists(sealed.scratch), "it could not be made, and leaves nothing")
  }

  @Test func withoutSealingNobodySigns() throws {
    let shop = try DrillShop().shop
    let source = try shop.snapshot().sourceName
    _ = try shop.repository.journal.append(entry(), to: source)
    #expect(try drills(shop).count == 1)
  }
}
