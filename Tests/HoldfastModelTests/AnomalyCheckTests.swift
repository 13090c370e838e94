import HoldfastModel
import HoldfastTestSupport
import Testing

/// What is unusual for a source is told apart from what is usual for it.
@Suite struct AnomalyCheckTests {
  /// A dump of some kilobytes can be all that a source has.
  @Test(arguments: [(4000, true), (100_000, true), (1_500_000, true), (800, false)] as [(UInt64, Bool)])
  func losingNineTenthsIsToldOfSmallSourcesToo(_ before: UInt64, _ isTold: Bool) {
    let figures = ChangeFigures(
      kind: .incremental, entriesBefore: 2, bytesBefore: before, entries: 2, bytes: 5, removed: 0, capturedBytes: 5,
      storedBytes: 100, samples: 0, denseSamples: 0)
    #expect(AnomalyCheck.isWorthwhile(figures))
    #expect(AnomalyCheck(history: []).anomalies(in: figures).map(\.kind) == (isTold ? [.truncation] : []))
    var halved = figures
    halved.bytes = before / 2
    if before < 1 << 20 { #expect(AnomalyCheck(history: []).anomalies(in: halved) == []) }
  }

  private static let mebibyte: UInt64 = 1 << 20

  /// A day of a shop: 1,000 entries and 100 MiB, of which 1 MiB is captured anew; nothing is removed.
  private func day(
    _ kind: SnapshotKind = .incremental, removed: UInt64 = 0, capturedMiB: UInt64 = 1, denseMiB: UInt64 = 0,
    lostMiB: UInt64 = 0
  ) -> ChangeFigures {
    let perMiB: UInt64 = 8
    return ChangeFigures(
      kind: kind, entriesBefore: 1000, bytesBefore: 100 * Self.mebibyte, entries: 1000 - removed,
      bytes: (100 - lostMiB) * Self.mebibyte, removed: removed, capturedBytes: capturedMiB * Self.mebibyte,
      storedBytes: (2 * denseMiB + (capturedMiB - denseMiB)) * Self.mebibyte / 2, samples: perMiB * capturedMiB,
      denseSamples: perMiB * denseMiB)
  }

  private func found(_ figures: ChangeFigures, after history: [ChangeFigures]) -> [String] {
    AnomalyCheck(history: history).anomalies(in: figures).map(\.description)
  }

  private func days(_ count: Int = 20) -> [ChangeFigures] { (0..<count).map { _ in day() } }

  // MARK: Mass deletion

  @Test func massDeletion() {
    #expect(
      found(day(removed: 400, lostMiB: 40), after: days())
        == ["mass deletion: 40 % of its entries are gone (at most 0.0 % before)"])
    #expect(found(day(removed: 190), after: days()) == [])
  }

  /// A log rotation that removes a third of all files every week is known after one week.
  @Test func whatHappensEveryWeekIsUsual() {
    let history = (0..<28).map { $0 % 7 == 6 ? day(removed: 300) : day() }
    #expect(found(day(removed: 320), after: history) == [])
    #expect(
      found(day(removed: 500), after: history)
        == ["mass deletion: 50 % of its entries are gone (at most 30 % before)"])
  }

  /// In a source of twelve files a third is four files.
  @Test func aFewFilesAreNoMass() {
    var small = day(removed: 9)
    (small.entriesBefore, small.entries) = (12, 3)
    #expect(found(small, after: days()) == [])
  }

  @Test func withoutAHistoryOnlyTheWorstIsToldOf() {
    #expect(found(day(removed: 400), after: days(4)) == [])
    #expect(found(day(removed: 500), after: []) == ["mass deletion: 50 % of its entries are gone"])
    #expect(found(day(.full, removed: 500), after: days()) == ["mass deletion: 50 % of its entries are gone"])
  }

  // MARK: Truncation

  @Test func truncation() {
    #expect(
      found(day(lostMiB: 30), after: days()) == ["truncation: it has lost 30 % of its bytes (at most 0.0 % before)"])
    #expect(found(day(lostMiB: 19), after: days()) == [])
  }

  @Test func whatIsDeletedIsNotAlsoTruncated() {
    #expect(found(day(removed: 600, lostMiB: 60), after: days()).count == 1)
  }

  // MARK: Encryption

  @Test func encryption() {
    #expect(
      found(day(capturedMiB: 5, denseMiB: 5), after: days())
        == ["encryption: 5.0 % of its bytes were replaced by some that look encrypted (at most 0.0 % before)"])
    #expect(found(day(capturedMiB: 1, denseMiB: 1), after: days()) == [])
  }

  /// A shop that gets photographs every day.
  @Test func compressedFilesThatComeEveryDayAreUsual() {
    let history = (0..<20).map { _ in day(capturedMiB: 4, denseMiB: 3) }
    #expect(found(day(capturedMiB: 5, denseMiB: 4), after: history) == [])
    #expect(found(day(capturedMiB: 25, denseMiB: 20), after: history).count == 1)
  }

  /// Somebody puts a hundred photographs beside what is there.
  @Test func whatComesInAdditionIsNoEncryption() {
    var figures = day(capturedMiB: 80, denseMiB: 80)
    figures.bytes += 80 * Self.mebibyte
    #expect(found(figures, after: days()) == [] && found(figures, after: []) == [])
    figures.bytes -= 60 * Self.mebibyte
    #expect(found(figures, after: days()).count == 1)
  }

  /// An update of every record rewrites much, and leaves it as compressible as it was.
  @Test func muchThatCanBeCompressedIsNoEncryption() {
    #expect(found(day(capturedMiB: 90), after: days()) == [])
  }

  /// Of a full everything is captured: photographs in it are no news.
  @Test func aFullIsComparedWithFulls() {
    let photographs = day(.full, capturedMiB: 100, denseMiB: 60)
    #expect(found(photographs, after: days()) == [])
    #expect(found(photographs, after: [photographs]) == [])
    #expect(
      found(photographs, after: [day(.full, capturedMiB: 100, denseMiB: 10)])
        == ["encryption: 60 % of its bytes were replaced by some that look encrypted (at most 10 % before)"])
  }

  // MARK: In general

  /// A history that repeats itself raises nothing, but for nearly everything.
  @Test(arguments: 0..<300 as Range<UInt64>)
  func whatHasBeenThereBeforeIsNoAnomaly(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let history = (0..<Int.random(in: 5...60, using: &random)).map { _ in
      let captured = UInt64.random(in: 0...89, using: &random)
      return day(
        removed: UInt64.random(in: 0...890, using: &random), capturedMiB: captured,
        denseMiB: UInt64.random(in: 0...captured, using: &random), lostMiB: UInt64.random(in: 0...89, using: &random))
    }
    let again = try #require(history.randomElement(using: &random))
    #expect(found(again, after: history) == [], "seed \(seed)")
  }

  /// The history is only read where something may be found: what is passed over without it must never be an anomaly.
  @Test(arguments: 0..<300 as Range<UInt64>)
  func whatIsNotWorthALookIsNoAnomaly(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let captured = UInt64.random(in: 0...40, using: &random)
    let figures = day(
      SnapshotKind.allCases.randomElement(using: &random) ?? .full, removed: UInt64.random(in: 0...400, using: &random),
      capturedMiB: captured, denseMiB: UInt64.random(in: 0...captured, using: &random) / 8,
      lostMiB: UInt64.random(in: 0...40, using: &random))
    guard !AnomalyCheck.isWorthwhile(figures) else { return }
    #expect(found(figures, after: days()) == [] && found(figures, after: []) == [], "seed \(seed)")
  }

  @Test func theMedianIsNotMovedByAFewWildNumbers() throws {
    let statistic = try #require(RobustStatistic([1, 2, 3, 4, 1000]))
    #expect(statistic.median == 3 && statistic.max == 1000)
    #expect(abs(statistic.spread - 1.4826) < 1e-9)
    #expect(RobustStatistic([1, 2])?.median == 1.5)
    #expect(RobustStatistic([]) == nil)
  }
}
