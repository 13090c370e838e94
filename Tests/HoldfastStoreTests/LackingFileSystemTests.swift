import Glibc
import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// On file systems that lack something a directory is a store all the same, or says what it is not.
@Suite(.timeLimit(.minutes(30))) struct LackingFileSystemTests {
  private let directory = TemporaryDirectory()
  private var path: Path { directory.appending("store") }

  private func store(_ probe: (any OperationProbe)?) -> LocalStore {
    LocalStore(directory: path, host: TestHost.make(probe: probe))
  }

  private func put(_ text: String, at key: String, in store: LocalStore) throws {
    let writer = try store.create(key)
    try Array(text.utf8).withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  /// A replacement is a rename of the kind that every file system has, and that the probe refuses here as well.
  @Test(arguments: StoreConformance.allCases.filter { $0 != .aReplacementTakesOverWithItsCommit })
  func withoutRenamesThatReplaceNothingItKeeps(_ promise: StoreConformance) throws {
    try promise.check(store(RefusingProbe([.rename: EINVAL])))
  }

  @Test(arguments: StoreConformance.allCases)
  func withoutSynchronizingDirectoriesItKeeps(_ promise: StoreConformance) throws {
    try promise.check(store(RefusingProbe([.synchronizeDirectory: EINVAL])))
  }

  /// A commit by link and removal of the old name: killed in between there is the whole object, and a leftover without
  /// a name that counts.
  @Test(arguments: 0..<12) func aKillAtAnyStepLeavesAllOrNothing(step: Int) throws {
    let cut = FaultProbe(.cut, at: step)
    let isCommitted =
      (try? put("bytes", at: "a/b/object", in: store(RefusingProbe([.rename: EINVAL], then: cut)))) != nil
    #expect(isCommitted == !cut.isCut)
    cut.dropUnsynced()
    let found = TestFiles.read(path.appending("a/b/object"))
    if isCommitted { try #require(found != nil) }
    #expect(found == nil || found == Array("bytes".utf8))
    let plain = store(nil)
    #expect(try plain.names(below: "a/b/") == (found == nil ? [] : ["object"]))
    if found == nil { try put("bytes", at: "a/b/object", in: plain) }
    #expect(TestFiles.read(path.appending("a/b/object")) == Array("bytes".utf8))
  }

  /// NFS over a directory to which names can only be added: an object is committed by a link, and neither of its names
  /// can be removed.
  @Test func whereNamesCanOnlyBeAddedAnObjectKeepsBoth() throws {
    let store = store(RefusingProbe([.rename: EINVAL, .remove: EPERM]))
    try put("bytes", at: "a/object", in: store)
    #expect(try store.names(below: "a/") == ["object"])
    #expect(TestFiles.read(path.appending("a/object")) == Array("bytes".utf8))
    #expect(TestFiles.names(in: path.appending("a")).count == 2, "the other name does not count")
    #expect(throws: StoreError.alreadyExists(key: "a/object", location: path.text)) {
      try put("others", at: "a/object", in: store)
    }
    #expect(TestFiles.read(path.appending("a/object")) == Array("bytes".utf8))
  }

  /// A server whose answer to the rename was lost says on the second try that the name is taken: by what was to have
  /// it.
  @Test func whoMeetsItsOwnObjectHasCommittedIt() throws {
    let store = store(LinkingProbe())
    try put("bytes", at: "a/object", in: store)
    #expect(TestFiles.read(path.appending("a/object")) == Array("bytes".utf8))
  }

  @Test func onlyWhatIsWeakerIsSaid() throws {
    #expect(try store(nil).probe(.system).weaknesses == [])
    #expect(try store(RefusingProbe([.rename: EINVAL])).probe(.system).weaknesses == [])
    #expect(
      try store(RefusingProbe([.rename: EINVAL, .link: EPERM])).probe(.system).weaknesses == [
        "the file system of \(path) can neither rename without replacing nor make hard links: of two machines that commit at the same moment one may replace what the other has just committed; let only one write there"
      ])
    #expect(TestFiles.names(in: path) == [], "nothing is left of the trial")
  }

  @Test(arguments: [ENOLCK, ENOSYS, EOPNOTSUPP]) func aPlaceWithoutLocksIsRefused(code: Int32) throws {
    let store = store(RefusingProbe([.lock: code]))
    for use in [
      { _ = try store.probe(.system) }, { _ = try store.lock("shop", wait: true, cancellation: Cancellation()) },
    ] {
      let error = #expect(throws: SystemError.self, performing: use)
      #expect(error?.code == code)
      #expect(
        error?.hint
          == "A lock keeps two runs from writing at the same time, and this file system has none: on NFS start the lock service (rpc.statd), or mount it with local_lock=flock where only this machine uses it."
      )
    }
    #expect(TestFiles.names(in: path) == ["locks"])
  }
}

/// Does what is asked of it, and says that it could not: the object has its name already when it is to be renamed.
private struct LinkingProbe: OperationProbe {
  func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
    try willPerform(operation, path, in: .root)
  }

  func willPerform(_ operation: Operation, _ path: Path, in directory: Path) throws(SystemError) {
    guard operation == .rename else { return }
    let full = path.isAbsolute ? path : directory.appending(path.bytes)
    TestFiles.link(full, as: (full.parent ?? .root).appending("object"))
  }

  func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
  func didPerform(_ operation: Operation, _ path: Path, newPath: Path?, in directory: Path) {}
}
