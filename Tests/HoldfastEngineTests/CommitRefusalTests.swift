import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Nothing is committed that no reader would take; and what a snapshot cannot hold keeps nothing else out of it.
@Suite struct CommitRefusalTests {
  /// Sparse files cost nothing: whoever has files in the source could make each of its snapshots worthless. A tmpfs has
  /// files of any size.
  @Test(.requires(.hugeSparseFiles)) func filesBeyondWhatASnapshotCanStandForAreNamed() throws {
    let memory = try #require(TemporaryDirectory(in: Path("/dev/shm")))
    let source = memory.path
    defer { withExtendedLifetime(memory) {} }
    TestFiles.write("an order", to: source.appending("orders"))
    for (name, size) in [
      ("a", 4 << 60), ("b", 2 << 60), ("huge", Int.max), ("x", 40 << 50), ("y", 40 << 50),
    ] {
      TestFiles.write("", to: source.appending(name))
      TestFiles.truncate(source.appending(name), to: size)
    }
    let shop = try TestShop()
    for kind in [SnapshotKind.full, .incremental] {
      let report = try shop.backup(kind) { ($0.source, $0.name) = (source, SourceName(from: Path("shop"))) }
      #expect(
        report.problems.map { "\($0.path): \($0.reason)" } == [
          "a: it has 4.0 EiB, and no snapshot can stand for so much beside everything else",
          "b: it has 2.0 EiB, and no snapshot can stand for so much beside everything else",
          "huge: it has 8.0 EiB, and no snapshot can stand for so much beside everything else",
          "y: it has 40.0 PiB, and no snapshot can stand for so much beside everything else",
        ])
      #expect(report.exitStatus == .incomplete && report.envelope.incomplete == 4)
      #expect(try shop.verify().exitStatus == .done)
    }
    for name in ["a", "x"] { TestFiles.truncate(source.appending(name), to: 0) }
    let report = try shop.backup(.incremental) { ($0.source, $0.name) = (source, SourceName(from: Path("shop"))) }
    #expect(report.problems.map(\.path) == [Path("b"), Path("huge")])
    try shop.restore(to: "restored") { $0.paths = [Path("orders")] }
    #expect(TestFiles.read(shop.directory.appending("restored/orders")) == Array("an order".utf8))
  }

  /// A clock that shows what no calendar has.
  @Test func aManifestThatNobodyCouldReadIsNotCommitted() throws {
    let clock = Clock(now: { Timestamp(seconds: 1 << 50, nanoseconds: 0) }, uptime: Clock.system.uptime)
    let shop = try TestShop(clock: clock)
    TestFiles.write("an order", to: shop.source.appending("orders"))
    #expect(
      throws: EngineError(
        .usage, "no reader would take the manifest of this snapshot: its times are not sound; nothing was committed",
        hint: "Split the source into several, or leave out what is so large with --exclude. Please report it.")
    ) { try shop.backup() }
    #expect(throws: EngineError.self) { try shop.snapshot() }
  }

  @Test func aLogThatNobodyCouldReadIsNotArchived() throws {
    let clock = Clock(now: { Timestamp(seconds: 1 << 50, nanoseconds: 0) }, uptime: Clock.system.uptime)
    let shop = try TestShop(clock: clock)
    let (name, bytes) = try #require(WALSample.log().segments.first)
    #expect(
      throws: EngineError(
        .usage, "no reader would take what would be archived of \(name): its time is not sound; nothing was archived",
        hint: "Check the clock of this machine. Please report it.")
    ) { try WALSample().push("\(name)", bytes, shop) }
    let archived = TestFiles.allFiles(in: shop.repositoryPath).filter { $0.text.contains("/repository/wal/") }
    #expect(archived == [])
  }
}
