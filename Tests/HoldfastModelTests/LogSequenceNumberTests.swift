import HoldfastModel
import Testing

@Suite struct LogSequenceNumberTests {
  @Test(arguments: [
    ("0/0", 0), ("0/2000028", 0x200_0028), ("1/0", 0x1_0000_0000), ("16/B374D848", 0x16_B374_D848),
    ("FFFFFFFF/FFFFFFFF", UInt64.max),
  ])
  func itIsWrittenAsPostgreSQLWritesIt(text: String, value: UInt64) {
    #expect(LogSequenceNumber(value).description == text)
    #expect(LogSequenceNumber(text) == LogSequenceNumber(value))
  }

  @Test func itIsReadAsPeopleTypeIt() {
    #expect(LogSequenceNumber("16/b374d848") == LogSequenceNumber(0x16_B374_D848))
    #expect(LogSequenceNumber("00000000/02000028") == LogSequenceNumber(0x200_0028))
  }

  @Test(arguments: [
    "", "/", "0", "0/", "/0", "0/0/0", "0 /0", "+1/0", "0/-1", "0x1/0", "100000000/0", "0/100000000", "0/g", "0/0 ",
    "０/0",
  ])
  func nothingElseIsOne(_ text: String) {
    #expect(LogSequenceNumber(text) == nil)
  }

  @Test func theyAreOrderedByPlaceNotByText() {
    #expect(LogSequenceNumber(0xffff_ffff) < LogSequenceNumber(0x1_0000_0000))
    #expect(LogSequenceNumber(0x1000_0000) > LogSequenceNumber(0x200_0000))
  }
}
