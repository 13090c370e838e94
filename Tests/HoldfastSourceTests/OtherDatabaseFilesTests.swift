import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A database of another kind is known by its files, whatever is in them; and by who has them open.
@Suite struct OtherDatabaseFilesTests {
  private let directory = TemporaryDirectory()
  private let files: FileSystem
  private let root: OpenFile
  private let probe = FaultProbe(of: [.open])
  private static let lmdb: [UInt8] = [UInt8](repeating: 0, count: 16) + [0xde, 0xc0, 0xef, 0xbe]
  private static let sqlite = Array("SQLite format 3\0".utf8)

  init() throws {
    files = FileSystem(probe: probe)
    root = try files.open(directory.path, .directory)
  }

  private func write(_ name: String, _ bytes: [UInt8]) { TestFiles.write(bytes, to: directory.appending(name)) }
  private func write(_ name: String, _ text: String) { TestFiles.write(text, to: directory.appending(name)) }

  /// What is found, after the scan has seen these names.
  private func databases(_ names: [String]) throws -> OtherDatabases {
    let databases = OtherDatabases(root: root, files: files)
    for name in names {
      let status = try files.status(of: Path(name), in: root)
      databases.notice(
        ScannedItem(path: Path(name), status: status, directory: nil, isInPostgreSQL: false, root: root))
    }
    return databases
  }

  /// A process that has a file open for writing.
  private func opened(_ name: String) throws -> RunningProcess {
    try holder("exec 9<>\"$1\"; echo open > \"$2\"; exec sleep 600", name, "/bin/sh", "-c")
  }

  private func holder(_ script: String, _ name: String, _ program: String...) throws -> RunningProcess {
    let said = TemporaryDirectory()
    let mark = said.appending("said")
    // The shell takes what follows its script from $0 on, and Python from argv[1] on.
    let zero = program.first == "/bin/sh" ? ["sh"] : []
    let arguments = program + [script] + zero + [directory.appending(name).text, mark.text]
    let process = RunningProcess(RunningProcess.Start(arguments))
    while TestFiles.read(mark) != Array("open\n".utf8) {
      try #require(TestFiles.exists(Path("/proc/\(process.processID)/fd")))
      Pause.briefly()
    }
    return process
  }

  private func end(_ process: RunningProcess) {
    process.send(9)
    _ = process.wait()
  }

  // MARK: Kinds

  struct Sample: Sendable, CustomTestStringConvertible {
    var name: String
    var content: [UInt8]
    /// Other files.
    var others: [String] = []
    var kind: OtherDatabase.Kind?
    var path: String?
    /// Those that are written repeatedly; `nil` for the path alone.
    var written: [String]?
    var testDescription: String { "\(name) \(content.count) \(others)" }
  }

  private static let manifest = Array("MANIFEST-000004\n".utf8)
  private static let samples: [Sample] = [
    Sample(name: "ibdata1", content: [1], kind: .mySQL, path: "ibdata1"),
    Sample(name: "ibdata1", content: [], kind: .mySQL, path: "ibdata1"),
    Sample(name: "ibdata1", content: sqlite),
    Sample(name: "ib_logfile0", content: [1], kind: .mySQL, path: "ib_logfile0"),
    Sample(name: "aria_log_control", content: [1], kind: .mySQL, path: "aria_log_control"),
    Sample(name: "#ib_redo7", content: [1], kind: .mySQL, path: "#ib_redo7"),
    Sample(name: "orders.ibd", content: [1], kind: .mySQL, path: "orders.ibd"),
    Sample(name: "ibdata2", content: [1]), Sample(name: "xibdata1", content: [1]),
    Sample(name: "orders.ibd2", content: [1]), Sample(name: "IBDATA1", content: [1]),
    Sample(name: "data.mdb", content: lmdb, kind: .lmdb, path: "data.mdb"),
    Sample(
      name: "data.mdb", content: Array(lmdb.prefix(16)) + lmdb.suffix(4).reversed(), kind: .lmdb, path: "data.mdb"),
    Sample(name: "data.mdb", content: Array(lmdb.dropFirst())), Sample(name: "other.mdb", content: lmdb),
    Sample(
      name: "CURRENT", content: manifest, others: ["MANIFEST-000004", "000003.log", "000005.ldb", "LOG"],
      kind: .levelDB, path: "", written: ["000003.log", "CURRENT", "MANIFEST-000004"]),
    Sample(
      name: "CURRENT", content: manifest, others: ["OPTIONS-000007", "000005.sst"], kind: .rocksDB, path: "",
      written: ["CURRENT"]),
    Sample(name: "CURRENT", content: Array("manifest-1".utf8)), Sample(name: "CURRENT", content: []),
    Sample(name: "CURRENTLY", content: manifest),
  ]

  @Test(arguments: samples) func aKindIsKnownByNameAndContent(_ sample: Sample) throws {
    TestFiles.makeDirectory(directory.appending("shop"))
    for other in sample.others { write("shop/" + other, "x") }
    write("shop/" + sample.name, sample.content)
    let process = try opened("shop/" + sample.name)
    defer { end(process) }
    let found = try databases(["shop/" + sample.name]).inUse()
    guard let kind = sample.kind, let path = sample.path else {
      #expect(found == [])
      return
    }
    let database = try #require(found.first)
    let place = path.isEmpty ? Path("shop") : Path("shop/" + path)
    #expect(found.count == 1 && database.kind == kind && database.path == place)
    #expect(database.holder?.processID == process.processID)
    #expect(
      database.files.map(\.description).sorted() == (sample.written?.map { "shop/" + $0 } ?? [place.description]))
  }

  @Test func everyKindHasItsName() {
    let names = [OtherDatabase.Kind.mySQL, .lmdb, .rocksDB, .levelDB].map(\.name)
    #expect(names == ["a MariaDB or MySQL server", "an LMDB database", "a RocksDB database", "a LevelDB database"])
  }

  /// The magic number of LMDB is where it is, in one piece, and nothing else counts.
  @Test func aHeadThatIsCutOrDamagedIsNone() throws {
    write("data.mdb", Self.lmdb)
    let process = try opened("data.mdb")
    defer { end(process) }
    func isFound(_ bytes: [UInt8]) throws -> Bool {
      TestFiles.truncate(directory.appending("data.mdb"), to: 0)
      TestFiles.overwrite(directory.appending("data.mdb"), at: 0, with: bytes)
      return try !databases(["data.mdb"]).inUse().isEmpty
    }
    for count in 0...20 { #expect(try isFound(Array(Self.lmdb.prefix(count))) == (count == 20), "\(count) bytes") }
    for place in 0..<20 {
      for bit in [0, 7] {
        var damaged = Self.lmdb
        damaged[place] ^= 1 << UInt8(bit)
        #expect(try isFound(damaged) == (place < 16), "bit \(bit) of byte \(place)")
      }
    }
    #expect(try isFound(Self.lmdb + [UInt8](repeating: 9, count: 10_000)))
  }

  // MARK: What is opened

  /// Nothing but names is looked at where there is no such name, and never what is no file.
  @Test func whatHasAnotherNameIsNotOpened() throws {
    let names = ["orders", "ibdata", "CURRENT.bak", "data.mdb.old", "a-lock.txt", "-lock"]
    for name in names { write(name, Self.lmdb) }
    TestFiles.makeDirectory(directory.appending("ibdata1"))
    TestFiles.makeFifo(directory.appending("data.mdb"))
    TestFiles.symbolicLink("orders", at: directory.appending("CURRENT"))
    let before = probe.count
    let found = try databases(names + ["ibdata1", "data.mdb", "CURRENT"])
    #expect(found.inUse() == [] && found.openedMeanwhile() == [] && found.untold == nil)
    #expect(probe.count == before)
  }

  /// Whoever may write in the source can put something else there after the scan.
  @Test func aNameThatHasBecomeSomethingElseIsNone() throws {
    for name in ["ibdata1", "data.mdb", "CURRENT"] { write(name, "x") }
    let found = try databases(["ibdata1", "data.mdb", "CURRENT"])
    for name in ["ibdata1", "data.mdb", "CURRENT"] { TestFiles.remove(directory.appending(name)) }
    TestFiles.makeFifo(directory.appending("ibdata1"))
    TestFiles.symbolicLink("/etc/hostname", at: directory.appending("data.mdb"))
    TestFiles.makeDirectory(directory.appending("CURRENT"))
    #expect(found.inUse() == [] && found.openedMeanwhile() == [])
  }

  /// A server may have more tables than there are descriptors and memory for.
  @Test func ofManyTableFilesSomeAreLookedAt() throws {
    write("t.ibd", [1])
    write("ibdata1", [1])
    let process = try opened("ibdata1")
    defer { end(process) }
    let before = probe.count
    let found = try databases([String](repeating: "t.ibd", count: 5000) + ["ibdata1"]).inUse()
    #expect(found.map(\.path) == [Path("ibdata1")])
    let looked = probe.log[before...].count { $0.path.lastComponent.elementsEqual("t.ibd".utf8) }
    // Each is opened to see what it is, and once more to ask for locks.
    #expect(looked == 2 * 4096)
  }

  // MARK: Who has it open

  /// An LMDB environment that is a file: its lock file has its name, even if that is the name of one in a directory.
  @Test(arguments: ["stock", "data.mdb"]) func theLockFileOfASingleFileIsBesideIt(name: String) throws {
    let process = try holder(
      """
      import lmdb, sys
      db = lmdb.open(sys.argv[1], map_size=1 << 20, subdir=False)
      with db.begin(write=True) as step: step.put(b"order", b"1")
      open(sys.argv[2], "w").write("open\\n")
      import time
      time.sleep(600)
      """, name, "/usr/bin/python3", "-c")
    defer { end(process) }
    let lock = name + "-lock"
    // The lock file alone tells.
    let found = try databases([lock]).inUse()
    #expect(found.map(\.path) == [Path(name)] && found.first?.kind == .lmdb)
    #expect(found.first?.holder?.processID == process.processID)
    // It is asked for locks: those of another user's process show, where what that has open does not.
    #expect(probe.log.contains { $0.path == directory.appending(lock) })
  }

  @Test func theLockFileOfADirectoryTells() throws {
    write("data.mdb", Self.lmdb)
    write("lock.mdb", "x")
    let process = try opened("lock.mdb")
    let found = try databases(["data.mdb"]).inUse()
    #expect(found.map(\.path) == [Path("data.mdb")] && found.first?.holder?.processID == process.processID)
    end(process)
    #expect(try databases(["data.mdb"]).inUse() == [])
  }

  @Test func theLockFileOfALevelDBTells() throws {
    write("CURRENT", Self.manifest)
    write("LOCK", "")
    let process = try opened("LOCK")
    let found = try databases(["CURRENT"]).inUse()
    #expect(found.map(\.path) == [Path.root] && found.first?.holder?.processID == process.processID)
    end(process)
  }

  @Test func whatIsOpenedOrChangedMeanwhileIsTold() throws {
    write("CURRENT", Self.manifest)
    write("LOCK", "")
    TestFiles.setModified(directory.appending("LOCK"), seconds: 1_700_000_000, nanoseconds: 0)
    let atRest = try databases(["CURRENT"])
    #expect(atRest.inUse() == [] && atRest.inUse() == [])
    let process = try holder(
      """
      import fcntl, sys, time
      lock = open(sys.argv[1], "r+b")
      fcntl.lockf(lock, fcntl.LOCK_EX)
      open(sys.argv[2], "w").write("open\\n")
      time.sleep(600)
      """, "LOCK", "/usr/bin/python3", "-c")
    #expect(atRest.openedMeanwhile().map(\.holder?.processID) == [process.processID])
    end(process)
    // What was opened and closed again has changed its lock file.
    TestFiles.write("x", to: directory.appending("LOCK"))
    let changed = atRest.openedMeanwhile()
    #expect(changed.count == 1 && changed.first?.holder == nil && changed.first?.kind == .levelDB)
    TestFiles.remove(directory.appending("LOCK"))
    #expect(atRest.openedMeanwhile().count == 1)
  }
}
