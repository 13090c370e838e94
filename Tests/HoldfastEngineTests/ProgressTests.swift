import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Progress counts what is done, never what is planned, and comes to its total in the end.
@Suite(.timeLimit(.minutes(30))) struct ProgressTests {
  private final class Recorder: ProgressObserver {
    var phases: [(name: String, total: UInt64?, advanced: UInt64, skipped: UInt64)] = []
    var files: UInt64 = 0
    /// Called before each step that moves the count.
    var onAdvance: () -> Void = {}

    func begin(phase: String, totalBytes: UInt64?) { phases.append((phase, totalBytes, 0, 0)) }
    func advance(bytes: UInt64, files: UInt64) {
      if bytes > 0 { onAdvance() }
      phases[phases.count - 1].advanced += bytes
      self.files += files
    }
    func skip(bytes: UInt64) { phases[phases.count - 1].skipped += bytes }
    func note(_ message: String) {}
    func warn(_ message: String) {}
  }

  private static let size = 3 << 20
  private let shop: TestShop
  private var target: Path { shop.directory.appending("target") }

  init() throws {
    shop = try TestShop(clock: TestHost.clock(ahead: 10))
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

  private func restore(
    _ recorder: Recorder = Recorder(), _ configure: (inout Restore.Options) -> Void = { _ in }
  ) throws -> Recorder {
    var options = Restore.Options(target: target)
    options.setsOwner = true
    configure(&options)
    _ = try Restore(
      repository: shop.repository, snapshot: shop.snapshot(), options: options, progress: recorder
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

  @Test func aRestoreCountsWhatIsWritten() throws {
    try shop.backup()
    let recorder = Recorder()
    let staged = target.appending(".holdfast-restore/orders.db")
    var writtenFirst: [Bool] = []
    recorder.onAdvance = {
      guard writtenFirst.isEmpty else { return }
      writtenFirst.append((TestFiles.read(staged) ?? []).contains { $0 != 0 })
    }
    _ = try restore(recorder)
    #expect(writtenFirst == [true], "bytes are on their way to the disk before they count")
    #expect(recorder.phases.map(\.name) == ["restoring", "making durable"])
    #expect(recorder.phases[0].total == UInt64(Self.size + 3))
    #expect(recorder.phases[0].advanced == UInt64(Self.size + 3))
    #expect(recorder.files == 2)
  }

  @Test(arguments: [0, 1, Self.size / 4096]) func aDeltaCountsWhatIsComparedOrWritten(changedPages: Int) throws {
    try shop.backup()
    _ = try restore()
    for page in 0..<changedPages {
      TestFiles.overwrite(target.appending("orders.db"), at: page * 4096, with: [0, 1, 2, 3, 4, 5, 6, 7])
    }
    for isDryRun in [true, false] {
      let recorder = try restore {
        $0.isDelta = true
        $0.isDryRun = isDryRun
      }
      #expect(recorder.phases[0].name == (isDryRun ? "examining" : "restoring"))
      #expect(recorder.phases[0].total == UInt64(Self.size + 3))
      #expect(recorder.phases[0].advanced == UInt64(Self.size + 3))
    }
  }
}
