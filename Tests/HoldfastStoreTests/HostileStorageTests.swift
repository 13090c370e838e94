import Glibc
import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// Whoever can write to the directory of a repository moves nothing of a run out of it: no link in it is followed,
/// nothing special in it is read, and whatever is exchanged in the middle of a run, nothing elsewhere is made, changed
/// or removed.
@Suite(.timeLimit(.minutes(30))) struct HostileStorageTests {
  private let directory = TemporaryDirectory()
  private var storage: Path { directory.appending("storage") }
  private var victim: Path { directory.appending("victim") }
  private let before: TreeDescription

  init() {
    TestFiles.makeDirectory(directory.appending("storage"))
    TestFiles.makeDirectory(directory.appending("victim"))
    TestFiles.write("precious", to: directory.appending("victim/object"))
    TestFiles.makeDirectory(directory.appending("victim/inner"))
    before = TreeDescription(of: directory.appending("victim"))
  }

  private func store(probe: (any OperationProbe)? = nil) -> LocalStore {
    LocalStore(directory: storage, host: TestHost.make(probe: probe))
  }

  private func put(at key: String, in store: LocalStore) throws {
    let writer = try store.create(key)
    try Array("bytes".utf8).withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  private func expectVictimUntouched(_ place: String = "", sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(TreeDescription(of: victim) == before, "\(place)", sourceLocation: sourceLocation)
  }

  /// Every call of a store, with what it is called for.
  private static let calls: [(String, @Sendable (LocalStore) throws -> Void)] = [
    ("names", { _ = try $0.names(below: "a/") }), ("open", { _ = try $0.open("a/object") }),
    ("create", { _ = try $0.create("a/new") }), ("create below", { _ = try $0.create("a/inner/new") }),
    ("settle", { try $0.settle(below: "a/") }), ("remove", { try $0.remove("a/object") }),
    ("remove all below", { try $0.removeAll(below: "a/inner/") }),
  ]

  @Test func aDirectoryThatIsALinkIsNotFollowed() throws {
    TestFiles.symbolicLink(victim.text, at: storage.appending("a"))
    for (name, call) in Self.calls {
      #expect(throws: StoreError.self, "\(name)") { try call(store()) }
      expectVictimUntouched(name)
    }
    #expect(throws: StoreError.foreign(key: "a/object", location: store().location)) { try store().open("a/object") }
    // The link itself goes, where everything under its name shall go.
    try store().removeAll(below: "a/")
    #expect(TestFiles.names(in: storage) == [])
    expectVictimUntouched()
  }

  @Test func locksThatLeadAwayAreRefused() throws {
    TestFiles.symbolicLink(victim.text, at: storage.appending("locks"))
    #expect(throws: StoreError.self) { try store().lock("shop", wait: false, cancellation: Cancellation()) }
    expectVictimUntouched()
    TestFiles.remove(storage.appending("locks"))
    TestFiles.makeDirectory(storage.appending("locks"))
    TestFiles.symbolicLink("../../victim/new", at: storage.appending("locks/shop.lock"))
    #expect(throws: StoreError.foreign(key: "locks/shop.lock", location: store().location)) {
      try store().lock("shop", wait: false, cancellation: Cancellation())
    }
    expectVictimUntouched()
  }

  /// Nobody waits for whoever might write into a fifo, and no device is read.
  @Test func whatIsNoFileIsNoObject() throws {
    TestFiles.makeDirectory(storage.appending("locks"))
    TestFiles.makeFifo(storage.appending("object"))
    TestFiles.makeFifo(storage.appending("locks/shop.lock"))
    TestFiles.makeDirectory(storage.appending("directory"))
    var names = ["object", "directory"]
    if try Requirement.root.allows("a device") {
      // Another name of /dev/zero (major 1, minor 5): it would never end.
      _ = storage.appending("device").withCString { mknod($0, 0o020600, 0x105) }
      names.append("device")
    }
    for name in names {
      #expect(throws: StoreError.foreign(key: name, location: store().location)) { try store().open(name) }
    }
    #expect(throws: StoreError.self) { try store().lock("shop", wait: false, cancellation: Cancellation()) }
  }

  // MARK: Exchanged in the middle of it

  /// Does something before the first operation of a kind.
  private final class Meddler: OperationProbe {
    private let operation: Operation
    private let action: Mutex<(@Sendable () -> Void)?>

    init(before operation: Operation, _ action: @escaping @Sendable () -> Void) {
      self.operation = operation
      self.action = Mutex(action)
    }

    var hasMeddled: Bool { action.withLock { $0 == nil } }

    func willPerform(_ operation: Operation, _ path: Path) {
      guard operation == self.operation else { return }
      let action = action.withLock { action in
        defer { action = nil }
        return action
      }
      action?()
    }

    func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
  }

  /// A probe that puts a link to the victim into the place of `a`.
  private func exchanger(before operation: Operation) -> Meddler {
    let (folder, aside, victim) = (storage.appending("a"), storage.appending("aside"), victim.text)
    return Meddler(before: operation) {
      TestFiles.rename(folder, to: aside)
      TestFiles.symbolicLink(victim, at: folder)
    }
  }

  @Test(arguments: [Operation.list, .remove])
  func aRemovalStaysInTheDirectoryThatItBegan(_ operation: Operation) throws {
    for name in ["a", "a/inner"] { TestFiles.makeDirectory(storage.appending(name)) }
    for name in ["a/inner/x", "a/object"] { TestFiles.write("x", to: storage.appending(name)) }
    let meddler = exchanger(before: operation)
    #expect(throws: SystemError.self) { try store(probe: meddler).removeAll(below: "a/") }
    #expect(meddler.hasMeddled)
    expectVictimUntouched()
  }

  @Test(arguments: [Operation.write, .synchronize, .rename, .synchronizeDirectory])
  func anObjectAppearsInTheDirectoryThatItWasBegunIn(_ operation: Operation) throws {
    TestFiles.makeDirectory(storage.appending("a"))
    let meddler = exchanger(before: operation)
    try put(at: "a/new", in: store(probe: meddler))
    #expect(meddler.hasMeddled)
    expectVictimUntouched()
    #expect(TestFiles.names(in: storage.appending("aside")) == ["new"])
  }

  @Test func anAbortRemovesNothingElsewhere() throws {
    TestFiles.makeDirectory(storage.appending("a"))
    let writer = try store().create("a/new")
    let temporary = try #require(TestFiles.names(in: storage.appending("a")).first)
    TestFiles.rename(storage.appending("a"), to: storage.appending("aside"))
    TestFiles.symbolicLink(victim.text, at: storage.appending("a"))
    TestFiles.write("precious", to: victim.appending(temporary))
    writer.abort()
    #expect(TestFiles.names(in: storage.appending("aside")) == [])
    #expect(TestFiles.exists(victim.appending(temporary)))
  }

  /// The run goes on in the directory that it has opened.
  @Test func theDirectoryItselfMayBeExchanged() throws {
    let store = store()
    try put(at: "first", in: store)
    TestFiles.rename(storage, to: directory.appending("moved"))
    TestFiles.symbolicLink(victim.text, at: storage)
    try put(at: "a/second", in: store)
    try store.remove("object")
    try store.removeAll(below: "inner/")
    #expect(try store.names(below: "") == ["a/", "first"])
    expectVictimUntouched()
  }

  /// Deeper than the stack and the descriptors of a process would last.
  @Test func aBottomlessDirectoryIsRefused() throws {
    var path = storage.appending("a")
    for _ in 0..<100 {
      TestFiles.makeDirectory(path)
      path = path.appending("d")
    }
    #expect(throws: StoreError.self) { try store().removeAll(below: "a/") }
  }
}
