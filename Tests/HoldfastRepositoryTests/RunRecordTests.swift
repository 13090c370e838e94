import HoldfastArchive
import HoldfastModel
import HoldfastRepository
import Testing

/// What a run did is in the journal as it was, whatever numbers and texts it had.
@Suite struct RunRecordTests {
  private static let began = Timestamp(seconds: 1_795_442_703, nanoseconds: 123_999_999)
  private static let ended = Timestamp(seconds: 1_795_442_705, nanoseconds: 0)

  private func record(_ change: (inout RunRecord) -> Void = { _ in }) -> RunRecord {
    var record = RunRecord(
      command: .backup, host: "shop-1", began: Self.began, ended: Self.ended, duration: .seconds(1.8767),
      status: .done)
    change(&record)
    return record
  }

  private func part(_ change: (inout RunRecord.Part) -> Void = { _ in }) throws -> RunRecord.Part {
    var part = RunRecord.Part(try #require(SourceName("orders")))
    change(&part)
    return part
  }

  @Test func everythingThatAPartSaysIsInItsEntry() throws {
    let snapshot = try #require(Identifier(bytes: 1...16 as ClosedRange<UInt8>))
    let part = try part {
      ($0.snapshot, $0.sequence, $0.kind) = (snapshot, 7, .differential)
      ($0.readBytes, $0.storedBytes, $0.provedBytes, $0.restoredBytes) = (1, 2, 3, 4)
      ($0.share, $0.begin, $0.isDelta, $0.incomplete) = (0.25, 0.5, true, 6)
    }
    let entry = record().entry(of: part, isSealed: false)
    var expected = JournalEntry(
      command: .backup, host: "shop-1", began: Timestamp(milliseconds: 1_795_442_703_123),
      ended: Timestamp(milliseconds: 1_795_442_705_000), took: .milliseconds(1877), status: 0)
    (expected.snapshot, expected.sequence, expected.kind) = (snapshot, 7, .differential)
    (expected.readBytes, expected.storedBytes, expected.provedBytes, expected.restoredBytes) = (1, 2, 3, 4)
    (expected.share, expected.begin, expected.isDelta, expected.incomplete) = (0.25, 0.5, true, 6)
    #expect(entry == expected)
    // What is not said is absent, and nothing is `false`.
    let least = record().entry(of: try self.part(), isSealed: false)
    #expect(
      String(decoding: try least.line(), as: UTF8.self)
        == #"{"began":1795442703123,"command":"backup","ended":1795442705000,"host":"shop-1","incomplete":0,"status":0,"took":1877,"warnings":0}"#
    )
  }

  /// A source has the status and the time of its own where the run tells them.
  @Test func aPartCountsBeforeTheRun() throws {
    let run = record { $0.status = .incomplete }
    let own = try run.entry(of: part { ($0.status, $0.duration) = (.failed, .seconds(3)) }, isSealed: false)
    #expect(own.status == ExitStatus.failed.rawValue && own.took == .seconds(3))
    let runs = try run.entry(of: part(), isSealed: false)
    #expect(runs.status == ExitStatus.incomplete.rawValue && runs.took == .milliseconds(1877))
  }

  /// The failure first, then what is wrong in the source, then the warnings of the run. In a sealed repository the
  /// texts may name files: only their number is kept.
  @Test(arguments: [false, true]) func textsAreCountedAndKeptInOrder(isSealed: Bool) throws {
    let run = record { ($0.failure, $0.warnings, $0.warningCount) = ("it failed", ["one", "two"], 5) }
    let entry = try run.entry(of: part { $0.findings = ["a page", "another"] }, isSealed: isSealed)
    #expect(entry.warnings == 8)
    #expect(entry.texts == (isSealed ? nil : ["it failed", "a page", "another", "one", "two"]))
    #expect(try record().entry(of: part(), isSealed: isSealed).texts == nil)
  }

  /// What a reader would refuse would be lost: every entry can be read back.
  @Test func whatIsWrittenIsReadBack() throws {
    let spans: [TimeSpan] = [
      .zero, .seconds(1e11), .seconds(1e11 + 1), .seconds(-1), .seconds(.nan), .seconds(.infinity), .seconds(0.0004),
    ]
    for (span, took) in zip(spans, [.zero, .seconds(1e11), .zero, .zero, .zero, .zero, .zero] as [TimeSpan]) {
      let run = record {
        $0.duration = span
        $0.failure = "\u{1b}[2J" + String(repeating: "\u{1f512}", count: 100) + "\n"
        $0.warnings = (0..<40).map { "\($0)\0" }
      }
      let entry = try run.entry(of: part(), isSealed: false)
      #expect(entry.took == took, "\(span.seconds)")
      #expect(entry.texts?.count == JournalEntry.textsMax)
      #expect(entry.texts?.first == "?[2J" + String(repeating: "\u{1f512}", count: 49))
      #expect(JournalEntry(parsing: try entry.line()) == entry)
    }
  }

  // MARK: Milliseconds

  @Test(
    arguments: [
      (0, 0, 0), (1, 999_999_999, 1999), (-1, 0, -1000), (-1, 999_000_000, -1),
      (1_795_442_703, 123_999_999, 1_795_442_703_123),
    ] as [(Int64, UInt32, Int64)])
  func anInstantInMilliseconds(seconds: Int64, nanoseconds: UInt32, milliseconds: Int64) {
    #expect(Timestamp(seconds: seconds, nanoseconds: nanoseconds).milliseconds == milliseconds)
  }

  @Test func millisecondsAtTheirLimitsAreInstants() {
    for number in [0, 1, -1, 999, -999, 1_795_442_703_123, Int64.max / 1000, Int64.min / 1000] {
      #expect(Timestamp(milliseconds: number).milliseconds == number)
    }
    // Beyond what microseconds can say, the last instant that they can.
    for number in [Int64.max, Int64.max / 1000 + 1] {
      #expect(Timestamp(milliseconds: number) == Timestamp(microseconds: .max))
    }
    for number in [Int64.min, Int64.min / 1000 - 1] {
      #expect(Timestamp(milliseconds: number) == Timestamp(microseconds: .min))
    }
    for seconds in [Int64.min, .max] {
      let edge = Timestamp(seconds: seconds, nanoseconds: 999_999_999)
      #expect((edge.milliseconds > 0) == (seconds > 0))
    }
  }
}
