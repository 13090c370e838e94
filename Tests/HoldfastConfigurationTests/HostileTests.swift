import HoldfastConfiguration
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Whatever a file holds, it is either a configuration or mistakes: never a crash.
@Suite struct HostileTests {
  private static let pieces = [
    "repositories", "sources", "defaults", "notifications", "orders", "shop", "path", "keep", "schedule", "exclude",
    ": ", ":",
    "\n", "\n  ", "\n    ", "{", "}", "[", "]", ", ", "- ", "&a ", "*a", "!t ", "? ", "| \n  ", "> ", "'", "\"", "\\x",
    "\\ud800", "%",
    "---\n", "...\n", "#", " ", "\t", "/srv", "15min", "~", "<<", "\u{0}", "\u{feff}", "\u{85}", "é",
    "%YAML 1.1\n---\n", "!!binary ",
  ]

  @Test(arguments: 0..<40)
  func randomFilesDoNoHarm(round: Int) {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed of round \(round): \(seed)")
    var random = SeededRandom(seed: seed)
    let site = Site()
    for _ in 0..<50 {
      var bytes: [UInt8]
      if random.next() % 4 == 0 {
        bytes = random.bytes(Int(random.next() % 200))
      } else if random.next() % 2 == 0 {
        bytes = (0..<random.next() % 60).flatMap { _ in
          Array(Self.pieces[Int(random.next() % UInt64(Self.pieces.count))].utf8)
        }
      } else {
        bytes = Array(ExampleConfiguration.text.utf8)
        for _ in 0..<random.next() % 8 {
          bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
        }
        bytes.removeLast(Int(random.next() % UInt64(bytes.count)))
      }
      TestFiles.write(bytes, to: site.main)
      TestFiles.setMode(site.main, 0o644)
      do {
        _ = try site.load()
      } catch {
        #expect(error is ConfigurationError, "seed \(seed): \(error)")
      }
    }
  }
}
