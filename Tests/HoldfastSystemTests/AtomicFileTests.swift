import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A file that others read while it is written anew is the old one or the new one, after every failure, kill and power
/// cut.
@Suite struct AtomicFileTests {
  private static let old: [UInt8] = [1, 2, 3]
  private static let new: [UInt8] = [4, 5, 6, 7]

  /// What the users of an atomic file ask for.
  enum Need: CaseIterable, Sendable {
    case alone, locked, unique, exactMode

    var temporary: AtomicFile.Temporary {
      switch self {
      case .alone: .alone(Path(".file.new"))
      case .locked: .locked(Path("file.new"))
      case .unique, .exactMode: .unique(.system)
      }
    }

    var mode: AtomicFile.Mode { self == .exactMode ? .exactly(0o664) : .atMost(0o600) }
  }

  private let directory = TemporaryDirectory()
  private var path: Path { directory.appending("file") }

  private func write(
    _ need: Need, _ bytes: [UInt8] = new, probe: FaultProbe? = nil, durability: AtomicFile.Durability = .name
  ) throws {
    let files = FileSystem(probe: probe)
    let file = try AtomicFile(
      Path("file"), in: files.open(directory.path, .directory), as: need.temporary, mode: need.mode,
      durability: durability, files: files)
    try file.append(bytes)
    try file.commit()
  }

  @Test(arguments: Need.allCases) func nothingButTheOldFileOrTheNewOneIsThereWhateverFails(_ need: Need) throws {
    let whole = FaultProbe()
    try write(need, probe: whole)
    for index in 0..<whole.count {
      TestFiles.write(Self.old, to: path)
      let probe = FaultProbe(.fail(ENOSPC), at: index)
      #expect(throws: SystemError.self) { try write(need, probe: probe) }
      let isRenamed = probe.log.contains { $0.operation == .synchronizeDirectory }
      #expect(TestFiles.read(path) == (isRenamed ? Self.new : Self.old), "operation \(index)")
      #expect(TestFiles.names(in: directory.path) == ["file"], "operation \(index)")
    }
  }

  @Test(arguments: Need.allCases) func aPowerCutLeavesTheOldFileOrTheNewOne(_ need: Need) throws {
    let whole = FaultProbe()
    try write(need, probe: whole)
    for index in 0..<whole.count {
      TestFiles.removeTree(directory.appending(".file.new"))
      TestFiles.write(Self.old, to: path)
      let probe = FaultProbe(.cut, at: index)
      #expect(throws: SystemError.self) { try write(need, probe: probe) }
      // What a rename has replaced cannot be brought back by this probe: then the name counts as written.
      let isRenamed = probe.log.dropLast().contains { $0.operation == .rename }
      if !isRenamed { probe.dropUnsynced() }
      #expect(TestFiles.read(path) == (isRenamed ? Self.new : Self.old), "operation \(index)")
    }
  }

  @Test func theContentsAreStoredBeforeTheNameAndTheNameAtTheEnd() throws {
    func operations(_ durability: AtomicFile.Durability) throws -> [Operation] {
      let probe = FaultProbe()
      try write(.unique, probe: probe, durability: durability)
      return probe.log.map(\.operation)
    }
    #expect(try operations(.name) == [.create, .write, .synchronize, .rename, .synchronizeDirectory])
    #expect(try operations(.contents) == [.create, .write, .synchronize, .rename])
    #expect(try operations(.none) == [.create, .write, .rename])
  }

  @Test func whatAKilledRunLeftIsNoHindrance() throws {
    for name in [".file.new", "file.new"] { TestFiles.write("half of something longer", to: directory.appending(name)) }
    try write(.alone)
    #expect(TestFiles.read(path) == Self.new)
    try write(.locked, Self.old)
    #expect(TestFiles.read(path) == Self.old)
    #expect(TestFiles.names(in: directory.path) == ["file"])
  }

  @Test func whatARunningOneWritesIsItsOwn() throws {
    let files = FileSystem()
    let folder = try files.open(directory.path, .directory)
    let first = try AtomicFile(Path("file"), in: folder, as: Need.locked.temporary, files: files)
    try first.append(Self.old)
    let refusal = #expect(throws: SystemError.self) { try write(.locked) }
    #expect(refusal?.isHeld == true)
    try first.commit()
    #expect(TestFiles.read(path) == Self.old)
  }

  @Test func runsWithNamesOfTheirOwnDoNotMeet() throws {
    let files = FileSystem()
    let folder = try files.open(directory.path, .directory)
    let written = try [Self.old, Self.new].map { bytes in
      let file = try AtomicFile(Path("file"), in: folder, as: .unique(.system), files: files)
      try file.append(bytes)
      return file
    }
    try written[1].commit()
    #expect(TestFiles.read(path) == Self.new)
    try written[0].commit()
    #expect(TestFiles.read(path) == Self.old)
  }

  @Test func linksUnderTheTemporaryNameAreNotFollowed() throws {
    TestFiles.write("precious", to: directory.appending("victim"))
    TestFiles.symbolicLink("victim", at: directory.appending(".file.new"))
    TestFiles.symbolicLink("victim", at: directory.appending("file.new"))
    try write(.alone)
    #expect(throws: SystemError.self) { try write(.locked) }
    #expect(TestFiles.read(directory.appending("victim")) == Array("precious".utf8))
    #expect(TestFiles.read(path) == Self.new)
  }

  @Test func anExchangedDirectoryIsNotWrittenTo() throws {
    let files = FileSystem()
    let inner = directory.appending("inner")
    TestFiles.makeDirectory(inner)
    let file = try AtomicFile(
      Path("file"), in: files.open(inner, .directory), as: .unique(.system), files: files)
    try file.append(Self.new)
    TestFiles.rename(inner, to: directory.appending("moved"))
    TestFiles.makeDirectory(inner)
    try file.commit()
    #expect(TestFiles.names(in: inner) == [])
    #expect(TestFiles.read(directory.appending("moved").appending("file")) == Self.new)
  }

  @Test func whatIsNotCommittedGoes() throws {
    TestFiles.write(Self.old, to: path)
    for need in Need.allCases {
      let files = FileSystem()
      let folder = try files.open(directory.path, .directory)
      try AtomicFile(Path("file"), in: folder, as: need.temporary, files: files).append(Self.new)
      #expect(TestFiles.names(in: directory.path) == ["file"])
    }
    #expect(TestFiles.read(path) == Self.old)
  }

  @Test func modesAreThoseThatWereAskedFor() throws {
    try write(.alone)
    #expect(TestFiles.permissions(path) == 0o600)
    // Whatever the umask of whoever runs the tests: 0664 is not what it leaves of 0600.
    try write(.exactMode)
    #expect(TestFiles.permissions(path) == 0o664)
  }

  /// A secret is never under another name, never replaces anything, and is not left behind in part.
  @Test func aFileUnderItsOwnNameIsNewOrNotThere() throws {
    func write(_ probe: FaultProbe?) throws {
      let files = FileSystem(probe: probe)
      let file = try AtomicFile(path, in: nil, as: .own, files: files)
      try file.append(Self.new)
      #expect(TestFiles.names(in: directory.path) == ["file"], "no second name")
      try file.commit()
    }
    let whole = FaultProbe()
    try write(whole)
    #expect(whole.log.map(\.operation) == [.create, .write, .synchronize, .synchronizeDirectory])
    let refusal = #expect(throws: SystemError.self) { try write(nil) }
    #expect(refusal?.isExisting == true)
    #expect(TestFiles.read(path) == Self.new)
    for index in 0..<whole.count {
      TestFiles.remove(path)
      #expect(throws: SystemError.self) { try write(FaultProbe(.fail(EIO), at: index)) }
      #expect(TestFiles.names(in: directory.path) == [], "operation \(index)")
    }
  }
}
