import ArgumentParser
import HoldfastCLI
import HoldfastEngine
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A time to which a cluster is recovered is understood as PostgreSQL prints it.
@Suite struct RecoveryOptionTests {
  @Test(arguments: [
    ("+00", 0.0), ("+02", 2), ("+05:30", 5.5), ("-03:30", -3.5), ("Z", 0), (" UTC", 0), ("+0000", 0),
  ])
  func aTimeIsTakenAsPostgreSQLPrintsIt(zone: String, hoursAhead: Double) throws {
    let noon = try #require(TimeText.parse("2026-11-28T12:00:00Z"))
    for separator in [" ", "T"] {
      for (fraction, nanoseconds) in [("", 0), (".1", 100_000_000), (".123456", 123_456_000)] as [(String, UInt32)] {
        let text = "2026-11-28\(separator)15:04:05\(fraction)\(zone)"
        let seconds = noon.seconds + 3 * 3600 + 4 * 60 + 5 - Int64(hoursAhead * 3600)
        let time = Timestamp(seconds: seconds, nanoseconds: nanoseconds)
        #expect(try RecoveryOptions.parse(["--to-time", text]).target == .time(time), "\(text)")
      }
    }
  }
}
