import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Places that would harm one of them are refused, with what to do instead, before anything is touched.
@Suite struct PlacesTests {
  private func makeShop() throws -> TestShop {
    let shop = try TestShop()
    TestFiles.write("orders", to: shop.source.appending("orders"))
    return shop
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  // MARK: Backup

  @Test func aMissingSource() throws {
    let shop = try makeShop()
    let path = shop.directory.appending("missing")
    #expect(
      message { try shop.backup { $0.source = path } }
        == "the source \(path) does not exist\nHINT: Name the directory that holds the order database.")
  }

  @Test func aSourceThatIsAFile() throws {
    let shop = try makeShop()
    let path = shop.source.appending("orders")
    #expect(
      message { try shop.backup { $0.source = path } }
        == "the source \(path) is not a directory\nHINT: Name the directory that holds the order database.")
  }

  @Test func anEmptySource() throws {
    let shop = try TestShop()
    #expect(
      message { try shop.backup() }
        == "the source \(shop.source) is empty\nHINT: Is its disk mounted? Nothing was recorded; earlier snapshots are as they were."
    )
    #expect(TestFiles.names(in: shop.repositoryPath) == ["holdfast.json"])
  }

  @Test func aSourceBehindALinkIsFollowed() throws {
    let shop = try makeShop()
    TestFiles.symbolicLink("source", at: shop.directory.appending("link"))
    let report = try shop.backup { $0.source = shop.directory.appending("link") }
    #expect(report.envelope.source.path == shop.source.description)
    #expect(report.envelope.source.name.text == "source")
  }

  @Test(arguments: ["source/repository", "source", ""]) func aRepositoryAndASourceInOneAnother(place: String) throws {
    let shop = try makeShop()
    TestFiles.makeDirectory(shop.directory.appending("source/repository"))
    let repository = place.isEmpty ? shop.directory.path : shop.directory.appending(place)
    let there = try Repository.open(
      StoreElsewhere(base: shop.repository.store, directory: repository), host: shop.host)
    #expect(
      message { try shop.backup(in: there) }
        == "the repository \(repository) and the source \(shop.source) lie in one another"
        + "\nHINT: Keep the repository on another disk than the source.")
    #expect(TestFiles.names(in: shop.repositoryPath) == ["holdfast.json"])
  }

  /// A name that nobody chose must not join two directories into one history.
  @Test func twoDirectoriesOfOneName() throws {
    let shop = try makeShop()
    try shop.backup()
    let other = shop.directory.appending("other/source")
    TestFiles.makeDirectory(shop.directory.appending("other"))
    TestFiles.makeDirectory(other)
    TestFiles.write("an order", to: other.appending("orders"))
    #expect(
      message { try shop.backup { $0.source = other } }
        == "the source source of this repository is \(shop.source), not \(other)"
        + "\nHINT: Say `--name source` if it has moved here, or another --name if it is another one.")
    let moved = try shop.backup {
      $0.source = other
      $0.name = SourceName("source")
    }
    #expect(moved.envelope.kind == .incremental)
    let named = try shop.backup {
      $0.source = other
      $0.name = SourceName("other")
    }
    #expect(named.envelope.kind == .full)
    #expect(named.envelope.sequence == 1)
  }

  // MARK: Locks

  @Test func twoBackupsAtOnce() throws {
    let shop = try makeShop()
    let lock = try shop.repository.store.lock("source", wait: false, cancellation: shop.host.cancellation)
    #expect(lock != nil)
    let error = #expect(throws: EngineError.self) { try shop.backup() }
    #expect(error?.exitStatus == .locked)
    #expect(error?.description == "another run is backing up source\nHINT: Wait for it, or say --wait.")
    let other = try shop.backup { $0.name = SourceName("other") }
    #expect(other.envelope.sequence == 1)
    let dry = try shop.backup { $0.isDryRun = true }
    #expect(dry.isDryRun)
    withExtendedLifetime(lock) {}
  }

  /// Lets the lock go when it is told that somebody waits for it.
  private final class Releaser: ProgressObserver {
    var lock: AnyObject?
    var notes: [String] = []
    init(_ lock: AnyObject?) { self.lock = lock }
    func begin(phase: String, totalBytes: UInt64?) {}
    func advance(bytes: UInt64, files: UInt64) {}
    func skip(bytes: UInt64) {}
    func warn(_ message: String) {}
    func note(_ message: String) {
      notes.append(message)
      lock = nil
    }
  }

  @Test func aBackupThatWaitsRunsAfterTheOther() throws {
    let shop = try makeShop()
    let releaser = Releaser(
      try shop.repository.store.lock("source", wait: false, cancellation: shop.host.cancellation))
    var options = Backup.Options(source: shop.source)
    options.waitsForLock = true
    let report = try Backup(
      repository: shop.repository, options: options, cache: StateCache(directory: nil), progress: releaser
    ).run()
    #expect(report.envelope.sequence == 1)
    #expect(releaser.notes == ["another run is backing up source; waiting for it"])
  }

  // MARK: Restore

  @Test func aTargetThatIsNotEmpty() throws {
    let shop = try makeShop()
    try shop.backup()
    TestFiles.makeDirectory(shop.directory.appending("target"))
    TestFiles.write("mine", to: shop.directory.appending("target/mine"))
    #expect(
      message { try shop.restore(to: "target") }
        == "the target \(shop.directory.appending("target")) is not empty (1 entry)\nHINT: Name an empty --target, "
        + "or say --delta to restore over what is there: it removes what the snapshot does not have."
    )
    #expect(TestFiles.names(in: shop.directory.appending("target")) == ["mine"])
  }

  @Test func aTargetThatIsAFile() throws {
    let shop = try makeShop()
    try shop.backup()
    TestFiles.write("mine", to: shop.directory.appending("target"))
    #expect(
      message { try shop.restore(to: "target") }
        == "the target \(shop.directory.appending("target")) is not a directory"
        + "\nHINT: Name a --target that is one, or does not exist."
    )
  }

  @Test func aTargetInTheSource() throws {
    let shop = try makeShop()
    try shop.backup()
    let target = shop.source.appending("restored")
    #expect(
      message { try shop.restore(to: "source/restored") }
        == "the target \(target) lies in the source \(shop.source): the next backup would capture it"
        + "\nHINT: Name a --target elsewhere.")
    #expect(!TestFiles.exists(target))
  }

  @Test(arguments: ["repository", "repository/sources/new", ""]) func aTargetAndARepositoryInOneAnother(
    place: String
  ) throws {
    let shop = try makeShop()
    try shop.backup()
    let target = place.isEmpty ? shop.directory.path : shop.directory.appending(place)
    let text = message {
      try shop.restore(to: "target") {
        $0.target = target
        $0.isDelta = true
      }
    }
    #expect(
      text == "the target \(target) and the repository \(shop.repositoryPath) lie in one another"
        + "\nHINT: Name a --target elsewhere.")
    #expect(try shop.verify().exitStatus == .done)
  }

  @Test(arguments: ["/", "/tmp/..", "//"]) func theRootOfTheFileSystem(target: String) throws {
    let shop = try makeShop()
    try shop.backup()
    let text = message {
      try shop.restore(to: "target") {
        $0.target = Path(target)
        ($0.isDelta, $0.isDryRun) = (true, true)
      }
    }
    #expect(
      text == "the target is the root of the file system\nHINT: Name a directory that the snapshot may fill.")
  }

  @Test func aTargetThatIsMadeWithItsParents() throws {
    let shop = try makeShop()
    try shop.backup()
    try shop.restore(to: "new/and/deep")
    let restored = TreeDescription(of: shop.directory.appending("new/and/deep"))
    #expect(restored.differences(from: TreeDescription(of: shop.source)) == [])
  }

  @Test func aFileInTheWayOfTheTarget() throws {
    let shop = try makeShop()
    try shop.backup()
    TestFiles.write("mine", to: shop.directory.appending("file"))
    #expect(message { try shop.restore(to: "file/target") }.hasSuffix("Not a directory"))
    #expect(TestFiles.read(shop.directory.appending("file")) == Array("mine".utf8))
  }
}

/// A store that says that it lies in another directory.
private struct StoreElsewhere: StoreLayer {
  let base: any Store
  let directory: Path?
}
