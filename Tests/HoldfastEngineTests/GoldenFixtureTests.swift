import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A repository that was written once, by the first version of the format, is restored by every later version. The
/// files below Tests/Fixtures/format-1 are never written again: whoever must change them has broken a promise.
@Suite struct GoldenFixtureTests {
  private func open() throws -> Repository {
    let tests = Path(#filePath).parent?.parent ?? .root
    let host = TestHost.make()
    return try Repository.open(
      LocalStore(directory: tests.appending("Fixtures").appending("format-1"), host: host), host: host)
  }

  private func snapshot(_ golden: GoldenSource, in repository: Repository) throws -> Snapshot {
    let name = try #require(SourceName(golden.name))
    return try #require(try repository.catalog.snapshotIfCommitted(name, UInt64(golden.sequence)))
  }

  @Test(arguments: GoldenSource.allCases)
  func whatWasStoredOnceIsRestoredForEver(_ golden: GoldenSource) throws {
    let repository = try open()
    let directory = TemporaryDirectory()
    golden.make(at: directory.appending("expected"))
    let report = try Restore(
      repository: repository, snapshot: snapshot(golden, in: repository),
      options: Restore.Options(target: directory.appending("restored")), progress: QuietProgress()
    ).run()
    #expect(report.problems == [])
    let restored = TreeDescription(of: directory.appending("restored"))
    #expect(restored.differences(from: TreeDescription(of: directory.appending("expected"))) == [])
  }

  @Test func theChainIsAsItWasTaken() throws {
    let repository = try open()
    let full = try snapshot(.full, in: repository)
    let incremental = try snapshot(.incremental, in: repository)
    let differential = try snapshot(.differential, in: repository)
    #expect(full.envelope.kind == .full && full.envelope.parent == nil)
    #expect(incremental.envelope.kind == .incremental && incremental.envelope.parent == full.asParent)
    #expect(differential.envelope.kind == .differential && differential.envelope.parent == full.asParent)
  }

  @Test func everyStoredByteIsStillProved() throws {
    var options = Verify.Options()
    options.readsData = true
    #expect(try Verify(repository: open(), options: options, progress: QuietProgress()).run(nil).exitStatus == .done)
  }
}
