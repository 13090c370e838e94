import HoldfastModel
import Testing

@Suite struct ByteRateTests {
  @Test(
    arguments: [
      ("1", 1), ("500", 500), ("500K", 500 << 10), ("20M", 20 << 20), ("20MiB", 20 << 20), ("512KiB", 512 << 10),
      ("3G", 3 << 30), ("1GiB", 1 << 30),
    ] as [(String, UInt64)])
  func aRateIsReadAsItIsWritten(text: String, bytes: UInt64) {
    #expect(ByteRate(text)?.bytesPerSecond == bytes)
  }

  @Test(arguments: [
    "", "0", "0M", "M", "-1", "1.5M", "20MB", "20m", "20 M", "iB", "20iB", "20MiBs", "１", "99999999999999999999",
    "9999999999G",
  ])
  func whatIsNoRateIsRefused(text: String) {
    #expect(ByteRate(text) == nil)
  }
}
