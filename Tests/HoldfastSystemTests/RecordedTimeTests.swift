import FoundationEssentials
import HoldfastModel
import HoldfastSystem
import Testing

/// Signatures and digests cover the text of a time: whoever wrote it, it is written again as it was read.
@Suite struct RecordedTimeTests {
  @Test(arguments: [
    "2026-11-22T14:05:03.500Z", "2026-11-22T15:05:03.5+01:00", "2026-11-22 14:05:03.5Z", "2026-11-22T14:05:03.500000Z",
  ])
  func everySpellingIsKeptAndMeansTheSameMoment(_ text: String) throws {
    let line = Data("[\"\(text)\"]".utf8)
    let times = try JSONDecoder().decode([RecordedTime].self, from: line)
    #expect(times.first?.moment == Timestamp(seconds: 1_795_356_303, nanoseconds: 500_000_000))
    #expect(times.first?.description == text)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    #expect(try encoder.encode(times) == line)
  }

  /// What a run has in memory is what the next run reads.
  @Test func aMomentIsCutToTheMillisecond() {
    let time = RecordedTime(Timestamp(seconds: 1_795_356_303, nanoseconds: 123_999_999))
    #expect(time.description == "2026-11-22T14:05:03.123Z")
    #expect(time.moment == Timestamp(seconds: 1_795_356_303, nanoseconds: 123_000_000))
    #expect(time == RecordedTime(text: "2026-11-22T14:05:03.123Z"))
  }

  @Test func aTextThatIsNoTimeKeepsItsBytesToo() throws {
    let time = RecordedTime(text: "yesterday")
    #expect(time.moment == Timestamp(seconds: 0, nanoseconds: 0))
    #expect(try JSONEncoder().encode([time]) == Data("[\"yesterday\"]".utf8))
  }
}
