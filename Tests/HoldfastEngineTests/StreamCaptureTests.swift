import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What a command prints is one file of a snapshot: byte for byte, page by page, and only when the command succeeded.
@Suite struct StreamCaptureTests {
  private let shop: TestShop
  private var dump: Path { shop.directory.appending("what is printed") }
  private static let pageBytes = 4096

  init() throws { shop = try TestShop(clock: TestHost.clock(ahead: 10)) }

  @discardableResult
  private func backup(
    _ command: String? = nil, as file: String = "dump", of shop: TestShop? = nil,
    isDryRun: Bool = false
  ) async throws -> Backup.Report {
    let shop = shop ?? self.shop
    let printed = shop.directory.appending("what is printed")
    return try await onOwnThread {
      try shop.backup {
        $0.source = Path(file)
        $0.command = ShellCommand(command ?? "cat '\(printed.text)'")
        $0.name = SourceName("orders")
        $0.isDryRun = isDryRun
        // A program that another test is just starting may still hold the lock of the run before, until it has been
        // replaced by what it becomes.
        $0.waitsForLock = true
      }
    }
  }

  private func restored(_ file: String = "dump", of shop: TestShop? = nil) throws -> [UInt8]? {
    let shop = shop ?? self.shop
    let name = "restored \(shop.host.random.identifier().short)"
    try shop.restore(to: name)
    #expect(TestFiles.names(in: shop.directory.appending(name)) == [file])
    return TestFiles.read(shop.directory.appending(name).appending(file))
  }

  @Test(arguments: [1, 4095, 4096, 262_143, 262_144, 262_145, 3_000_000], [false, true])
  func whatWasPrintedComesBackByteForByte(count: Int, isSealed: Bool) async throws {
    var random = SeededRandom(seed: UInt64(count))
    let shop = try TestShop(isSealed: isSealed)
    let bytes = random.bytes(count)
    TestFiles.write(bytes, to: shop.directory.appending("what is printed"))
    let report = try await backup(of: shop)
    #expect(report.problems == [] && report.envelope.consistency == .stable)
    #expect(report.envelope.state.entries == 2 && report.envelope.state.bytes == UInt64(count))
    #expect(report.envelope.source.path == (isSealed ? "" : "dump"))
    #expect(try restored(of: shop) == bytes)
    #expect(try shop.verify().exitStatus == .done)
  }

  @Test func whatIsRestoredIsForItsOwnerOnly() async throws {
    try await backup("echo order")
    try shop.restore(to: "restored")
    #expect(TestFiles.permissions(shop.directory.appending("restored").appending("dump")) == 0o600)
    #expect(TestFiles.permissions(shop.directory.appending("restored")) == 0o700)
  }

  /// Runs of zeros, parts that come a few bytes at a time, and pages that only differ at their ends.
  @Test func onlyPagesThatDifferFromTheLastOutputAreStored() async throws {
    var random = SeededRandom(seed: 5)
    var bytes = random.bytes(700_000) + [UInt8](repeating: 0, count: 600_000) + random.bytes(300_001)
    TestFiles.write(bytes, to: dump)
    #expect(try await backup().envelope.kind == .full)
    let same = try await backup()
    #expect(same.envelope.kind == .incremental && same.envelope.changes.pages == 0)
    #expect(try restored() == bytes)
    bytes[4 * Self.pageBytes] ^= 1
    bytes[200 * Self.pageBytes] = 9
    TestFiles.write(bytes, to: dump)
    #expect(try await backup().envelope.changes.pages == 2)
    #expect(try restored() == bytes)
    bytes += random.bytes(10)
    TestFiles.write(bytes, to: dump)
    #expect(try await backup().envelope.changes.pages == 1, "the last page is longer")
    #expect(try restored() == bytes)
    bytes = Array(bytes[..<(3 * Self.pageBytes + 7)])
    TestFiles.write(bytes, to: dump)
    #expect(try await backup().envelope.changes.pages == 1, "the last page is shorter")
    #expect(try restored() == bytes)
    #expect(try shop.verify().exitStatus == .done)
  }

  @Test func anotherFileNameStoresNothingAgain() async throws {
    TestFiles.write([UInt8](repeating: 7, count: 50_000), to: dump)
    try await backup()
    let renamed = try await backup(as: "a dump")
    #expect(renamed.envelope.changes.pages == 0 && renamed.envelope.changes.removed == 1)
    #expect(try restored("a dump") == TestFiles.read(dump))
  }

  @Test(arguments: [
    ("head -c 3000000 /dev/urandom; exit 3", "the command failed with exit status 3"),
    ("exit 1", "the command failed with exit status 1"),
    ("echo half; kill -KILL $$", "the command failed with signal 9"),
    ("no-such-program-at-all 2> /dev/null", "the command failed with exit status 127"),
  ])
  func aCommandThatFailsCommitsNothing(command: String, message: String) async throws {
    try await backup("echo before")
    let error = await #expect(throws: ShellCommandError.self) { try await backup(command) }
    #expect(error?.message == message)
    #expect(error?.hint == "Run it by itself to see what it says: \(command)")
    #expect(try shop.snapshot().sequence == 1)
    #expect(try await backup("echo after").envelope.sequence == 2)
    #expect(TestFiles.allFiles(in: shop.repositoryPath).allSatisfy { !$0.text.contains("/.unfinished-") })
  }

  @Test func aCommandThatPrintsNothingIsRefused() async throws {
    let error = await #expect(throws: EngineError.self) { try await backup("true") }
    #expect(
      error
        == EngineError(
          .machine, "the command printed nothing; nothing was committed", hint: "Run it by itself to see what it says.")
    )
    #expect(throws: (any Error).self) { try shop.snapshot() }
  }

  @Test func aFailureOfOursEndsTheCommand() async throws {
    struct Full: Error {}
    let started = shop.directory.appending("started")
    let cancellation = Cancellation()
    let command = ShellCommand("echo $$ > '\(started.text)'; echo order; exec sleep 1000")
    await #expect(throws: Full.self) {
      try await onOwnThread {
        try command.stream(cancellation) { _ in
          while TestFiles.read(started)?.last != 10 { Pause.briefly() }
          throw Full()
        }
      }
    }
    let process = String(decoding: TestFiles.read(started) ?? [], as: UTF8.self).split(separator: "\n")[0]
    #expect(!TestFiles.exists(Path("/proc/\(process)")))
  }

  @Test func aDryRunRunsTheCommandAndStoresNothing() async throws {
    let report = try await backup("echo order", isDryRun: true)
    #expect(report.isDryRun && report.envelope.state.bytes == 6)
    #expect(throws: (any Error).self) { try shop.snapshot() }
  }

  @Test(arguments: [false, true])
  func aDirectorysHistoryDoesNotBecomeACommands(isSealed: Bool) async throws {
    let shop = try TestShop(isSealed: isSealed)
    TestFiles.write("1", to: shop.source.appending("order"))
    try shop.backup { $0.name = SourceName("orders") }
    let error = await #expect(throws: EngineError.self) { try await backup("echo order", of: shop) }
    #expect(
      error
        == EngineError(
          .usage, "the source orders of this repository is the directory \(shop.source), not the output of a command",
          hint: "Say another --name."))
  }
}
