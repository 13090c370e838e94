import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A restore of a part brings back that part, and touches nothing beside it.
@Suite struct SelectionTests {
  /// `a/file` has the other names `b/link` and `b/link too`.
  private func makeShop() throws -> TestShop {
    let shop = try TestShop()
    var random = SeededRandom(seed: 3)
    let source = shop.source
    for name in ["a", "b", "b/empty", "c"] { TestFiles.makeDirectory(source.appending(name)) }
    TestFiles.write(random.text(400_000), to: source.appending("a/file"))
    TestFiles.write(random.text(1000), to: source.appending("b/1"))
    TestFiles.link(source.appending("a/file"), as: source.appending("b/link"))
    TestFiles.link(source.appending("a/file"), as: source.appending("b/link too"))
    TestFiles.symbolicLink("../a", at: source.appending("c/symbolic"))
    TestFiles.write(random.text(1000), to: source.appending("c.d"))
    for name in ["a", "b", "b/empty", "c"] {
      TestFiles.setModified(source.appending(name), seconds: 1_000_000_000, nanoseconds: 5)
    }
    try shop.backup(.full)
    return shop
  }

  private func restore(
    _ shop: TestShop, _ paths: [String], to name: String = "target",
    configure: (inout Restore.Options) -> Void = { _ in }
  ) throws -> Restore.Report {
    try shop.restore(to: name) {
      $0.paths = paths.map { Path($0) }
      configure(&$0)
    }
  }

  /// The differences between a part of the target and the same part of the source, hard links to what lies elsewhere
  /// left out.
  private func differences(_ shop: TestShop, _ path: String) -> [String] {
    TreeDescription(of: shop.directory.appending("target").appending(path)).differences(
      from: TreeDescription(of: shop.source.appending(path)))
  }

  @Test func aFile() throws {
    let shop = try makeShop()
    let report = try restore(shop, ["b/1"])
    #expect(TestFiles.allFiles(in: shop.directory.appending("target")).count == 1)
    #expect(differences(shop, "b/1") == [])
    #expect(report.writtenFiles == 1)
    #expect(report.writtenBytes == 1000)
  }

  @Test func aDirectoryAndNotItsNeighbour() throws {
    let shop = try makeShop()
    _ = try restore(shop, ["c"])
    #expect(TestFiles.names(in: shop.directory.appending("target")) == ["c"])
    #expect(differences(shop, "c") == [])
  }

  /// What is not selected gives its content to the first selected name, and the others are links to that.
  @Test func linksWhoseFileIsNotSelected() throws {
    let shop = try makeShop()
    let report = try restore(shop, ["b"])
    #expect(report.problems == [])
    #expect(TestFiles.names(in: shop.directory.appending("target")) == ["b"])
    #expect(differences(shop, "b") == [])
    #expect(TestFiles.status(shop.directory.appending("target/b/link"))?.linkCount == 2)
  }

  @Test func oneLinkWhoseFileIsNotSelected() throws {
    let shop = try makeShop()
    let report = try restore(shop, ["b/link too"])
    #expect(report.writtenBytes == 400_000)
    let target = shop.directory.appending("target")
    #expect(TestFiles.allFiles(in: target) == [target.appending("b/link too")])
    #expect(TestFiles.read(target.appending("b/link too")) == TestFiles.read(shop.source.appending("a/file")))
    #expect(TestFiles.status(target.appending("b/link too"))?.linkCount == 1)
  }

  @Test func whatTheSnapshotDoesNotHave() throws {
    let shop = try makeShop()
    let error = #expect(throws: EngineError.self) { try restore(shop, ["b", "b/2"]) }
    #expect(
      error?.description
        == "the snapshot has no b/2\nHINT: Run `holdfast show SNAPSHOT --files` to see what it has.")
    #expect(!TestFiles.exists(shop.directory.appending("target")))
  }

  // MARK: Over existing content

  @Test func aDeltaOfAPartRemovesOnlyBelowIt() throws {
    let shop = try makeShop()
    try shop.restore(to: "target")
    let target = shop.directory.appending("target")
    for name in ["a/extra", "b/extra", "c/extra", "extra"] { TestFiles.write("extra", to: target.appending(name)) }
    TestFiles.overwrite(target.appending("b/1"), at: 0, with: [0])
    TestFiles.overwrite(target.appending("c.d"), at: 0, with: [0])
    let report = try restore(shop, ["b"]) { $0.isDelta = true }
    #expect(report.removed == [Path("b/extra")])
    #expect(differences(shop, "b/1") == [])
    #expect(differences(shop, "c.d") != [])
    #expect(
      TestFiles.names(in: target).sorted() == ["a", "b", "c", "c.d", "extra"])
    #expect(TestFiles.exists(target.appending("a/extra")))
    #expect(TestFiles.exists(target.appending("c/extra")))
    #expect(!TestFiles.exists(target.appending("b/extra")))
  }

  /// A link that takes the place of its file does not disturb what lies before it.
  @Test func aDeltaOfAPartWithLinksChangesOnlyWhatDiffers() throws {
    let shop = try makeShop()
    _ = try restore(shop, ["b"])
    let target = shop.directory.appending("target")
    let before = TestFiles.status(target.appending("b/1"))
    let report = try restore(shop, ["b"]) { $0.isDelta = true }
    #expect(report.removed == [])
    #expect(TestFiles.status(target.appending("b/1"))?.inode == before?.inode)
    #expect(differences(shop, "b") == [])
  }

  /// Where the target has a link instead of a directory, nothing is written behind it.
  @Test func aDeltaOfAPartDoesNotFollowALinkOnTheWay() throws {
    let shop = try makeShop()
    let target = shop.directory.appending("target")
    let outside = shop.directory.appending("outside")
    TestFiles.makeDirectory(target)
    TestFiles.makeDirectory(outside)
    TestFiles.symbolicLink(outside.description, at: target.appending("b"))
    let error = #expect(throws: EngineError.self) { try restore(shop, ["b/1"]) { $0.isDelta = true } }
    #expect(
      error?.description == "b in the target is no directory, and what is to be restored lies in it"
        + "\nHINT: Move it away, or restore without --path.")
    #expect(TestFiles.names(in: outside) == [])
    _ = try restore(shop, ["b"]) { $0.isDelta = true }
    #expect(TestFiles.names(in: outside) == [])
    #expect(differences(shop, "b") == [])
  }

  // MARK: Dry runs

  @Test(arguments: [[], ["b"], ["b/link too"]], [true, false])
  func aDryRunChangesNothingAndItsNumbersAreThoseOfTheRun(paths: [String], isDelta: Bool) throws {
    let shop = try makeShop()
    let target = shop.directory.appending("target")
    if isDelta {
      try shop.restore(to: "target")
      TestFiles.overwrite(target.appending("b/1"), at: 10, with: [0])
      TestFiles.write("extra", to: target.appending("b/extra"))
    }
    let before = TreeDescription(of: target)
    let dry = try restore(shop, paths) { ($0.isDryRun, $0.isDelta) = (true, isDelta) }
    #expect(TreeDescription(of: target) == before)
    let run = try restore(shop, paths) { $0.isDelta = isDelta }
    #expect(dry.entries == run.entries)
    #expect(dry.bytes == run.bytes)
    #expect(dry.readBytes == run.readBytes)
    #expect(dry.writtenFiles == run.writtenFiles)
    #expect(dry.writtenBytes == run.writtenBytes)
    #expect(dry.removed == run.removed)
  }

  @Test func aDryRunOfABackupStoresNothingAndItsNumbersAreThoseOfTheRun() throws {
    let shop = try makeShop()
    TestFiles.overwrite(shop.source.appending("a/file"), at: 10, with: [0])
    TestFiles.remove(shop.source.appending("b/1"))
    let before = TreeDescription(of: shop.repositoryPath)
    let dry = try shop.backup { $0.isDryRun = true }
    #expect(TreeDescription(of: shop.repositoryPath) == before)
    let run = try shop.backup()
    #expect(dry.envelope.changes == run.envelope.changes)
    #expect(dry.envelope.state == run.envelope.state)
    #expect(dry.envelope.storedBytes == run.envelope.storedBytes)
    #expect(dry.envelope.kind == run.envelope.kind)
  }
}
