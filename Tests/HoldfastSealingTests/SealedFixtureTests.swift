import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A repository that was sealed once, by the first version of the format, is opened by every later version. The files
/// below Tests/Fixtures/format-1-sealed are never written again: whoever must change them has broken a promise.
@Suite struct SealedFixtureTests {
  private func restore(_ golden: GoldenSource, from repository: Repository, to target: Path) throws -> Restore.Report {
    try Restore(
      repository: repository, snapshot: SealedFixture.snapshot(golden, in: repository),
      options: Restore.Options(target: target), progress: QuietProgress()
    ).run()
  }

  @Test(arguments: GoldenSource.allCases, SealedFixture.Key.allCases)
  func whatWasSealedOnceIsRestoredForEver(_ golden: GoldenSource, with key: SealedFixture.Key) throws {
    let directory = TemporaryDirectory()
    golden.make(at: directory.appending("expected"))
    let report = try restore(golden, from: SealedFixture.open(key), to: directory.appending("restored"))
    #expect(report.problems == [])
    let restored = TreeDescription(of: directory.appending("restored"))
    #expect(restored.differences(from: TreeDescription(of: directory.appending("expected"))) == [])
  }

  @Test(arguments: GoldenSource.allCases)
  func withoutItsKeyNothingIsRestored(_ golden: GoldenSource) throws {
    let directory = TemporaryDirectory()
    #expect(throws: KeyError.self) {
      _ = try restore(golden, from: SealedFixture.open(), to: directory.appending("restored"))
    }
    #expect(TestFiles.allFiles(in: directory.path) == [])
  }

  @Test func everyStoredByteIsStillProvedWithAKeyAndWithout() throws {
    let opened = try SealedFixture.verify(SealedFixture.open(.identity))
    #expect(opened.exitStatus == .done && !opened.isClosed)
    let closed = try SealedFixture.verify(SealedFixture.open())
    #expect(closed.exitStatus == .done && closed.isClosed)
    #expect(opened.snapshots.count == 4 && closed.snapshots.count == 4)
  }

  @Test func theChainIsAsItWasTaken() throws {
    let repository = try SealedFixture.open()
    let full = try SealedFixture.snapshot(.full, in: repository)
    let incremental = try SealedFixture.snapshot(.incremental, in: repository)
    let differential = try SealedFixture.snapshot(.differential, in: repository)
    #expect(full.envelope.kind == .full && full.envelope.parent == nil)
    #expect(incremental.envelope.kind == .incremental && incremental.envelope.parent == full.asParent)
    #expect(differential.envelope.kind == .differential && differential.envelope.parent == full.asParent)
    let first = try SealedFixture.writer("writer.key").signing.publicKey
    let second = try SealedFixture.writer("writer-2.key").signing.publicKey
    #expect([full, incremental, differential].map(\.envelope.signature?.key) == [first, first, second])
    #expect([full, incremental, differential].map(\.envelope.keyring?.revision) == [1, 1, 2])
  }

  @Test func whereTheSourceLayIsForRecipientsOnly() throws {
    for (key, path) in [(SealedFixture.Key.identity, "/srv/example"), (nil, nil)] {
      let repository = try SealedFixture.open(key)
      let snapshot = try SealedFixture.snapshot(.example, in: repository)
      #expect(try repository.containers.sourceOrigin(of: snapshot)?.text == path)
      #expect(snapshot.envelope.source.path == "")
    }
  }

  // MARK: The keyring

  @Test func onlyWhatWasAcceptedCountsOfTheRevokedWriter() throws {
    let repository = try SealedFixture.open()
    var keyring = try #require(repository.keyring.sealed).keyring
    #expect(keyring.revision == 3)
    let first = try SealedFixture.writer("writer.key").signing.publicKey
    let taken = try [GoldenSource.example, .full, .incremental].map {
      try SealedFixture.snapshot($0, in: repository).digest
    }
    #expect(keyring.writers.map(\.key).first == first)
    #expect(keyring.writers.first?.revoked?.accepted == Set(taken))
    for digest in taken {
      #expect(keyring.refusal(of: first, digest: digest) == nil)
      keyring.writers[0].revoked?.accepted.remove(digest)
      #expect(
        keyring.refusal(of: first, digest: digest) == "it is signed by shop-1, whose key was revoked (74a744d4)")
    }
  }

  // MARK: Going on

  /// Takes another snapshot of `shop` into a copy.
  private func goOn(writer: String, key: SealedFixture.Key?, in directory: TemporaryDirectory) throws -> Backup.Report {
    let copy = directory.appending("copy")
    TestFiles.copyTree(SealedFixture.directory, to: copy)
    GoldenSource.differential.make(at: directory.appending("shop"))
    TestFiles.write("invoice", to: directory.appending("shop").appending("new"))
    return try Backup(
      repository: SealedFixture.open(key, writer: writer, at: copy),
      options: Backup.Options(source: directory.appending("shop")), cache: StateCache(directory: nil),
      progress: QuietProgress()
    ).run()
  }

  @Test func aLaterVersionGoesOnWithTheChain() throws {
    let directory = TemporaryDirectory()
    let report = try goOn(writer: "writer-2.key", key: .identity, in: directory)
    let repository = try SealedFixture.open(.identity, at: directory.appending("copy"))
    #expect(report.envelope.kind == .incremental && report.envelope.sequence == 4)
    #expect(report.envelope.parent == (try SealedFixture.snapshot(.differential, in: repository)).asParent)
    #expect(report.envelope.keyring == repository.keyring.reference)
    #expect(try SealedFixture.verify(repository).exitStatus == .done)
  }

  @Test func theRevokedWriterTakesNoMore() throws {
    let directory = TemporaryDirectory()
    #expect(throws: KeyError.self) { _ = try goOn(writer: "writer.key", key: .identity, in: directory) }
    let shop = directory.appending("copy/sources/shop")
    #expect(TestFiles.names(in: shop).sorted() == ["0000000001", "0000000002", "0000000003"])
  }
}
