import HoldfastEngine
import HoldfastModel
import HoldfastTestSupport
import Testing

/// The progress of a backup comes to its total in the end.
@Suite(.timeLimit(.minutes(2))) struct ProgressTests {
  private final class Recorder: ProgressObserver {
    var phases: [(name: String, total: UInt64?, advanced: UInt64, skipped: UInt64)] = []
    var files: UInt64 = 0

    func begin(phase: String, totalBytes: UInt64?) { phases.append((phase, totalBytes, 0, 0)) }
    func advance(bytes: UInt64, files: UInt64) {
      phases[phases.count - 1].advanced += bytes
      self.files += files
    }
    func skip(bytes: UInt64) { phases[phases.count - 1].skipped += bytes }
    func note(_ message: String) {}
    func warn(_ message: String) {}
  }

  private static let size = 3 << 20
  private let shop: TestShop

  init() throws {
    shop = try TestShop(clock: TestShop.clock(ahead: 10))
    var random = SeededRandom(seed: 47)
    TestFiles.write(random.bytes(Self.size), to: shop.source.appending("orders.db"))
    TestFiles.write("log", to: shop.source.appending("shop.log"))
  }

  private func backup(_ configure: (inout Backup.Options) -> Void = { _ in }) throws -> Recorder {
    let recorder = Recorder()
    var options = Backup.Options(source: shop.source)
    configure(&options)
    _ = try Backup(
      repository: shop.repository, options: options, cache: StateCache(directory: shop.cachePath), progress: recorder
    ).run()
    return recorder
  }

  @Test func aBackupKnowsItsTotalAndComesToIt() throws {
    let first = try backup()
    #expect(first.phases[0].name == "reading")
    #expect(first.phases[0].total == UInt64(Self.size + 3))
    #expect(first.phases[0].advanced == UInt64(Self.size + 3))
    TestFiles.write("a longer log", to: shop.source.appending("shop.log"))
    let second = try backup()
    #expect(second.phases[0].total == UInt64(Self.size + 12))
    #expect(second.phases[0].advanced == 12, "only what was read is work")
    #expect(second.phases[0].skipped == UInt64(Self.size))
  }
}
