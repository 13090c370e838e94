import Glibc
import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What a local directory adds to the contract: durability in the right order, and nothing left behind.
@Suite(.timeLimit(.minutes(30))) struct LocalStoreTests {
  private let directory = TemporaryDirectory()
  private static let key = "a/object"

  private func store(probe: (any OperationProbe)? = nil) -> LocalStore {
    LocalStore(directory: directory.path, host: TestHost.make(probe: probe))
  }

  private func put(_ text: String = "bytes", at key: String = key, in store: LocalStore) throws {
    let writer = try store.create(key)
    try Array(text.utf8).withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  @Test func aCommitSynchronizesTheBytesThenTheNameInThisOrder() throws {
    TestFiles.makeDirectory(directory.appending("a"))
    let probe = FaultProbe()
    try put(in: store(probe: probe))
    #expect(probe.log.map(\.operation) == [.create, .write, .synchronize, .rename, .synchronizeDirectory])
    #expect(probe.log.last?.path == directory.appending("a"))
    #expect(Set(probe.log.dropLast().map(\.path)).count == 1, "all of it on one temporary file")
    #expect(probe.log.first?.path.lastComponent.first == UInt8(ascii: "."))
  }

  @Test func directoriesThatAreMadeAreSynchronizedInTheirParents() throws {
    let probe = FaultProbe(at: nil, of: [.makeDirectory, .synchronizeDirectory])
    try put(at: "a/b/object", in: store(probe: probe))
    let made = ["a", "a/b"].map { directory.appending($0) }
    #expect(
      probe.log.map(\.operation) == [
        .makeDirectory, .synchronizeDirectory, .makeDirectory, .synchronizeDirectory, .synchronizeDirectory,
      ])
    #expect(probe.log.map(\.path) == [made[0], directory.path, made[1], made[0], made[1]])
  }

  @Test func whatACommitPromisedSurvivesAPowerCut() throws {
    let probe = FaultProbe()
    try put(at: "a/b/object", in: store(probe: probe))
    let unfinished = try store(probe: probe).create("a/b/other")
    try [1, 2, 3].withUnsafeBytes { try unfinished.append($0) }
    probe.dropUnsynced()
    #expect(TestFiles.read(directory.appending("a/b/object")) == Array("bytes".utf8))
    #expect(TestFiles.names(in: directory.appending("a/b")) == ["object"])
  }

  /// A kernel that could not write pages marks them clean: a second fsync would succeed and prove nothing.
  @Test(arguments: [Operation.write, .synchronize, .rename, .synchronizeDirectory])
  func aStepThatFailsIsNotRetriedAndNothingAppears(_ operation: Operation) throws {
    TestFiles.makeDirectory(directory.appending("a"))
    let probe = FaultProbe(.fail(EIO), at: 0, of: [operation])
    #expect(throws: SystemError.self) { try put(in: store(probe: probe)) }
    #expect(probe.count == 1, "\(operation) was tried again")
    #expect(TestFiles.names(in: directory.appending("a")) == [], "something is left")
    #expect(throws: StoreError.notFound(key: Self.key, location: store().location)) { try store().open(Self.key) }
    try put("anew", in: store())
    #expect(TestFiles.read(directory.appending(Self.key)) == Array("anew".utf8))
  }

  // MARK: Replacement

  private func replace(in store: LocalStore) throws {
    let upload = try #require(try store.replacement(of: Self.key))
    let writer = ObjectWriter(upload, connections: 1)
    try Array("other bytes".utf8).withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  @Test func aReplacementIsDurableBeforeItGetsTheName() throws {
    try put(in: store())
    let probe = FaultProbe()
    try replace(in: store(probe: probe))
    #expect(probe.log.map(\.operation) == [.create, .write, .synchronize, .rename, .synchronizeDirectory])
    #expect(TestFiles.read(directory.appending(Self.key)) == Array("other bytes".utf8))
    #expect(TestFiles.names(in: directory.appending("a")) == ["object"])
  }

  @Test(arguments: [Operation.create, .write, .synchronize, .rename, .synchronizeDirectory])
  func aReplacementThatFailsCostsNothing(_ operation: Operation) throws {
    for fault in [FaultProbe.Fault.fail(EIO), .cut] {
      try store().removeAll(below: "a/")
      try put(in: store())
      #expect(throws: SystemError.self) {
        try replace(in: store(probe: FaultProbe(fault, at: 0, of: [operation])))
      }
      let expected = operation == .synchronizeDirectory ? "other bytes" : "bytes"
      #expect(TestFiles.read(directory.appending(Self.key)) == Array(expected.utf8), "\(operation) \(fault)")
      #expect(try store().names(below: "a/") == ["object"])
    }
  }

  @Test func whoMayOnlyAddReplacesNothing() throws {
    try put(in: store())
    #expect(throws: StoreError.removalRefused(key: Self.key, location: store().location)) {
      try replace(in: store(probe: FaultProbe(.fail(EPERM), at: 0, of: [.rename])))
    }
    #expect(TestFiles.read(directory.appending(Self.key)) == Array("bytes".utf8))
  }

  /// At every step of a commit a kill leaves the object whole or not there at all, and the next run can write it.
  @Test(arguments: 0..<9)
  func aKillAtAnyStepLeavesAllOrNothing(_ step: Int) throws {
    let probe = FaultProbe(.cut, at: step)
    let isCommitted = (try? put(at: "a/b/object", in: store(probe: probe))) != nil
    #expect(isCommitted == !probe.isCut)
    probe.dropUnsynced()
    let found = TestFiles.read(directory.appending("a/b/object"))
    if isCommitted { try #require(found != nil) }
    #expect(found == nil || found == Array("bytes".utf8))
    #expect(try store().names(below: "a/b/") == (found == nil ? [] : ["object"]))
    if found == nil { try put(at: "a/b/object", in: store()) }
    #expect(TestFiles.read(directory.appending("a/b/object")) == Array("bytes".utf8))
  }

  @Test func whatAKilledRunLeftIsNotNamed() throws {
    TestFiles.makeDirectory(directory.appending("a"))
    TestFiles.write("left", to: directory.appending("a/.unfinished-0"))
    TestFiles.write("text", to: directory.path.appending([0xff]))
    #expect(try store().names(below: "a/") == [])
    #expect(try store().names(below: "") == ["a/"])
  }

  @Test func whatIsUnfinishedIsCollected() throws {
    let outside = TemporaryDirectory()
    TestFiles.write("x", to: outside.appending(".unfinished-2"))
    for name in ["a", "a/b"] { TestFiles.makeDirectory(directory.appending(name)) }
    TestFiles.symbolicLink("\(outside.path)", at: directory.appending("a/link"))
    for name in ["a/.unfinished-0", "a/b/.unfinished-1", "a/.other", "a/object"] {
      TestFiles.write("x", to: directory.appending(name))
    }
    #expect(try store().unfinished(below: "a/", .children).map(\.key) == ["a/.unfinished-0"])
    let left = try store().unfinished(below: "", .everything)
    #expect(left.map(\.key).sorted() == ["a/.unfinished-0", "a/b/.unfinished-1"])
    for _ in 1...2 { try store().removeUnfinished(left) }
    #expect(try store().unfinished(below: "", .everything) == [])
    #expect(TestFiles.names(in: directory.appending("a")).sorted() == [".other", "b", "link", "object"])
    #expect(TestFiles.exists(outside.appending(".unfinished-2")))
  }

  @Test func removeAllDoesNotFollowLinks() throws {
    let outside = TemporaryDirectory()
    TestFiles.write("x", to: outside.appending("file"))
    TestFiles.makeDirectory(directory.appending("a"))
    TestFiles.symbolicLink("\(outside.path)", at: directory.appending("a/link"))
    try store().removeAll(below: "a/")
    #expect(!TestFiles.exists(directory.appending("a")))
    #expect(TestFiles.exists(outside.appending("file")))
  }

  @Test func anObjectThatIsALinkIsNotRead() throws {
    TestFiles.write("secret", to: directory.appending("secret"))
    TestFiles.symbolicLink("secret", at: directory.appending("object"))
    #expect(throws: StoreError.foreign(key: "object", location: store().location)) { try store().open("object") }
  }

  @Test func aLockFileStaysWhereItIs() throws {
    _ = try store().lock("shop", wait: false, cancellation: Cancellation())
    #expect(TestFiles.read(directory.appending("locks/shop.lock")) == [])
    _ = try store().lock("shop", wait: false, cancellation: Cancellation())
    #expect(TestFiles.names(in: directory.appending("locks")) == ["shop.lock"])
  }

  @Test func aLockCannotLieElsewhere() {
    #expect(throws: StoreError.invalidKey("locks/../../x.lock")) {
      try store().lock("../../x", wait: false, cancellation: Cancellation())
    }
  }

  @Test(arguments: [
    (StoreError.notFound(key: "k", location: "/r"), "k is missing in /r", HoldfastModel.ExitStatus.dataLoss),
    (.alreadyExists(key: "k", location: "/r"), "k exists already in /r", .failed),
    (.foreign(key: "k", location: "/r"), "k in /r is nothing that a repository has", .dataLoss),
    (.removalRefused(key: "k", location: "/r"), "k may not be removed from /r", .failed),
    (.invalidKey("a\u{1b}"), #""a\x1b" is not a possible key of an object"#, .failed),
  ])
  func refusalsSayWhatAndWhere(_ error: StoreError, _ message: String, _ exitStatus: HoldfastModel.ExitStatus) {
    #expect(error.message == message)
    #expect(error.exitStatus == exitStatus)
  }

  @Test func whatIsForeignHasAHint() {
    #expect(
      StoreError.foreign(key: "k", location: "/r").hint
        == "Symbolic links in a repository are not followed, and fifos and devices not read: find out who put it there, and remove it."
    )
  }
}
