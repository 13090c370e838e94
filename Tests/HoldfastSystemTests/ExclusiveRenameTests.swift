import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Where the file system cannot rename without replacing, nothing is replaced all the same.
@Suite(.timeLimit(.minutes(30))) struct ExclusiveRenameTests {
  /// What a file system does not have.
  enum Lack: CaseIterable, Sendable {
    case nothing, flags, links

    /// Each operation is refused once: the plain rename that stands in at last is one as well.
    func probe(then inner: (any OperationProbe)? = nil) -> RefusingProbe {
      switch self {
      case .nothing: RefusingProbe([:], then: inner)
      case .flags: RefusingProbe([.rename: EINVAL], then: inner)
      case .links: RefusingProbe([.rename: EINVAL, .link: EPERM], times: [.rename: 1], then: inner)
      }
    }
  }

  private let directory = TemporaryDirectory()
  private var old: Path { directory.appending("old") }
  private var new: Path { directory.appending("new") }

  private func rename(_ lack: Lack, then inner: (any OperationProbe)? = nil) throws(SystemError) {
    try FileSystem(probe: lack.probe(then: inner)).rename(old, to: new, replacing: false, isShared: true)
  }

  @Test(arguments: Lack.allCases) func aFileGetsItsName(lack: Lack) throws {
    TestFiles.write("text", to: old)
    let inode = TestFiles.status(old)?.inode
    try rename(lack)
    #expect(TestFiles.names(in: directory.path) == ["new"])
    #expect(TestFiles.status(new)?.inode == inode && TestFiles.status(new)?.linkCount == 1)
  }

  @Test(arguments: Lack.allCases) func whatIsThereStays(lack: Lack) throws {
    TestFiles.write("text", to: old)
    TestFiles.write("there before", to: new)
    #expect(throws: SystemError("rename", old, code: EEXIST)) { try rename(lack) }
    #expect(TestFiles.read(new) == Array("there before".utf8) && TestFiles.read(old) == Array("text".utf8))
  }

  /// A plain rename would replace an empty directory.
  @Test(arguments: Lack.allCases) func aDirectoryGetsItsNameAndReplacesNone(lack: Lack) throws {
    TestFiles.makeDirectory(old)
    TestFiles.write("text", to: old.appending("file"))
    TestFiles.makeDirectory(new)
    let inode = TestFiles.status(new)?.inode
    // No file system makes hard links of directories, whatever it lacks.
    #expect(throws: SystemError("rename", old, code: EEXIST)) { try rename(lack == .nothing ? lack : .links) }
    #expect(TestFiles.status(new)?.inode == inode)
    TestFiles.removeTree(new)
    try rename(lack == .nothing ? lack : .links)
    #expect(TestFiles.read(new.appending("file")) == Array("text".utf8) && !TestFiles.exists(old))
  }

  /// Of many that want one name, each by itself and at the same time, one gets it.
  @Test(arguments: Lack.allCases) func oneOfManyGetsTheName(lack: Lack) throws {
    let count = 8
    for index in 0..<count { TestFiles.write("\(index)", to: directory.appending("old \(index)")) }
    let outcomes = try Array(0..<count).mapInParallel(workers: count, batch: 1) { [directory, new] index in
      let files = FileSystem(probe: lack.probe())
      do {
        try files.rename(directory.appending("old \(index)"), to: new, replacing: false, isShared: true)
        return true
      } catch let error as SystemError where error.isExisting {
        return false
      }
    }
    let winner = try #require(outcomes.firstIndex(of: true))
    #expect(outcomes.count { $0 } == 1)
    #expect(TestFiles.read(new) == Array("\(winner)".utf8))
    #expect(TestFiles.names(in: directory.path).count == count, "the others keep theirs")
  }

  /// NFS: the server has made the link, its answer was lost, and it is asked again.
  @Test func aLostAnswerIsNoOtherFile() throws {
    TestFiles.write("text", to: old)
    TestFiles.link(old, as: new)
    try rename(.flags)
    #expect(TestFiles.names(in: directory.path) == ["new"])
  }

  @Test func anOldNameThatStaysTakesTheNewOneBack() {
    TestFiles.write("text", to: old)
    let failing = FaultProbe(.fail(EIO), at: 0, of: [.remove])
    #expect(throws: SystemError("remove", old, code: EIO)) { try rename(.flags, then: failing) }
    #expect(TestFiles.names(in: directory.path) == ["old"])
  }

  /// Whoever may read a directory can hold its lock for ever.
  @Test func aLockThatIsHeldIsNamed() throws {
    TestFiles.write("text", to: old)
    let holder = try FileSystem().open(directory.path, .directory)
    #expect(try holder.lock(exclusively: true, wait: false))
    #expect(throws: SystemError("lock", directory.path, code: EWOULDBLOCK)) { try rename(.links) }
    #expect(TestFiles.names(in: directory.path) == ["old"])
  }

  /// Who has the directory for itself, such as a restore its staging directory, holds its lock already.
  @Test(arguments: Lack.allCases) func whereNobodyElseIsNoLockIsTaken(lack: Lack) throws {
    TestFiles.write("text", to: old)
    let holder = try FileSystem().open(directory.path, .directory)
    #expect(try holder.lock(exclusively: true, wait: false))
    try FileSystem(probe: lack.probe()).rename(old, to: new, replacing: false)
    #expect(TestFiles.names(in: directory.path) == ["new"])
  }

  /// The file system itself forbids it: no other way is looked for.
  @Test func whatIsForbiddenStaysForbidden() {
    TestFiles.write("text", to: old)
    let probe = RefusingProbe([.rename: EPERM])
    #expect(throws: SystemError("rename", old, code: EPERM)) {
      try FileSystem(probe: probe).rename(old, to: new, replacing: false)
    }
    #expect(TestFiles.names(in: directory.path) == ["old"])
  }
}
