import HoldfastModel
import HoldfastTestSupport
import Testing

/// What people, cron and monitoring read.
@Suite struct MessageTests {
  /// The numbers are a promise: this table changes only when a status is added.
  @Test func exitStatusesKeepTheirNumbers() {
    let promised: [HoldfastModel.ExitStatus: Int32] = [
      .done: 0, .failed: 1, .usage: 2, .incomplete: 3, .noRepository: 10, .locked: 11, .wrongKey: 12,
      .notServing: 13, .serviceAnswers: 14, .servingUnknown: 15, .repairableDamage: 20, .dataLoss: 21, .drillFailed: 22,
      .objectiveMissed: 30,
      .fetchFailed: 126, .interrupted: 130,
    ]
    #expect(HoldfastModel.ExitStatus.allCases.count == promised.count)
    for status in HoldfastModel.ExitStatus.allCases {
      #expect(status.rawValue == promised[status])
      #expect(!status.meaning.isEmpty)
    }
    #expect(Set(HoldfastModel.ExitStatus.allCases.map(\.meaning)).count == promised.count)
  }

  /// The table in README.md has every status, in the order of their numbers.
  @Test func everyExitStatusIsInTheReadme() throws {
    let readme = String(decoding: try #require(TestFiles.read(Tool.root.appending("README.md"))), as: UTF8.self)
    let rows = readme.split(separator: "\n").compactMap { line in
      line.hasPrefix("| ") ? Int32(line.dropFirst(2).prefix { $0.isNumber }) : nil
    }
    #expect(rows == HoldfastModel.ExitStatus.allCases.map(\.rawValue).sorted())
  }

  @Test(
    arguments: [
      (0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (29_779_558, "28.4 MiB"),
      (1 << 30, "1.0 GiB"), (1 << 40, "1.0 TiB"), (1 << 50, "1.0 PiB"), (1 << 60, "1.0 EiB"), (.max, "16.0 EiB"),
    ] as [(UInt64, String)])
  func bytesAreShownWithABinaryUnit(_ count: UInt64, _ shown: String) {
    #expect(Amount.bytes(count) == shown)
  }

  @Test(
    arguments: [
      (0, "0.0 s"), (0.42, "0.42 s"), (9.9, "9.9 s"), (12.3, "12 s"), (59.7, "1 min 0 s"), (185, "3 min 5 s"),
      (3599.6, "1 h 0 min"), (7800, "2 h 10 min"), (-1, "?"), (.nan, "?"), (.infinity, "?"), (1e300, "?"),
    ] as [(Double, String)])
  func durationsAreShownInTheUnitThatFits(_ seconds: Double, _ shown: String) {
    #expect(Amount.duration(.seconds(seconds)) == shown)
  }

  @Test(arguments: [
    (0.9, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (11_520, "3 h 12 min"),
    (86_400, "24 h"), (172_799, "47 h 59 min"), (172_800, "2 d"), (442_800, "5 d 3 h"), (-1, "?"), (.nan, "?"),
    (.infinity, "?"),
  ])
  func agesAreReadAtAGlance(_ seconds: Double, _ shown: String) {
    #expect(Amount.age(.seconds(seconds)) == shown)
  }

  /// What is not all is never shown as all, and what is something not as nothing.
  @Test(arguments: [
    (0, "0 %"), (1, "100 %"), (0.25, "25.0 %"), (0.9999, "99.9 %"), (0.00001, "0.1 %"), (1.5, "?"), (.nan, "?"),
  ])
  func sharesDoNotFlatter(_ share: Double, _ shown: String) {
    #expect(Amount.share(share) == shown)
  }

  @Test func countsAgreeWithTheirNoun() {
    #expect(Amount.count(0, "file") == "0 files")
    #expect(Amount.count(1, "file") == "1 file")
    #expect(Amount.count(2, "entry", "entries") == "2 entries")
  }

  @Test func anErrorIsShownWithItsHint() {
    struct Plain: OperatorError {
      var message: String { "the disk is full" }
      var hint: String?
      var exitStatus: HoldfastModel.ExitStatus { .failed }
      var scope: ErrorScope { .machine }
    }
    #expect("\(Plain(hint: nil))" == "the disk is full")
    #expect("\(Plain(hint: "Free some space."))" == "the disk is full\nHINT: Free some space.")
    #expect(Interrupted().exitStatus == .interrupted)
  }
}
