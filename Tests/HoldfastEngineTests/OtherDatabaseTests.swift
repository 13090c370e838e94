import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// LMDB, RocksDB and LevelDB directories that a process has open are torn, and the process is named; at rest they are
/// plain files.
@Suite struct OtherDatabaseTests {
  enum Engine: String, CaseIterable, Sendable {
    case lmdb, lmdbFile, levelDB, rocksDB

    /// Opens the database, commits, says so, and keeps it open until its input ends.
    var script: String {
      switch self {
      case .lmdb, .lmdbFile:
        """
        import lmdb, sys
        db = lmdb.open(sys.argv[1], map_size=1 << 20, subdir=\(self == .lmdb ? "True" : "False"))
        with db.begin(write=True) as step: step.put(b"order", b"1")
        """
      case .levelDB:
        """
        import plyvel, sys
        db = plyvel.DB(sys.argv[1], create_if_missing=True)
        db.put(b"order", b"1")
        """
      // What RocksDB does to its directory, as far as another process sees it: there is no binding for Python in
      // Debian.
      case .rocksDB:
        """
        import fcntl, os, sys
        os.makedirs(sys.argv[1], exist_ok=True)
        lock = open(sys.argv[1] + "/LOCK", "w")
        fcntl.lockf(lock, fcntl.LOCK_EX)
        """
      }
    }

    var name: String {
      switch self {
      case .lmdb, .lmdbFile: "an LMDB database"
      case .levelDB: "a LevelDB database"
      case .rocksDB: "a RocksDB database"
      }
    }
  }

  private let shop: TestShop
  private let tool = Tool()
  private var place: Path { shop.source.appending("stock") }

  init() throws { shop = try TestShop(clock: TestHost.clock(ahead: 10)) }

  /// A process that has the database open.
  private func open(_ engine: Engine) throws -> RunningProcess { try start(engine.script) }

  private func start(_ script: String) throws -> RunningProcess {
    let said = tool.directory.appending("said \(shop.host.random.identifier().short)")
    let wait = "\nopen(sys.argv[2], 'w').write('open')\nimport time\nwhile True: time.sleep(60)\n"
    var start = RunningProcess.Start(["/usr/bin/python3", "-c", script + wait, place.text, said.text])
    start.environment = tool.environment
    let process = RunningProcess(start)
    while !TestFiles.exists(said) || TestFiles.read(said) != Array("open".utf8) {
      try #require(TestFiles.exists(Path("/proc/\(process.processID)/fd")))
      Pause.briefly()
    }
    return process
  }

  private func make(_ engine: Engine) throws {
    if engine == .rocksDB {
      let result = tool.other("ldb", "--db=\(place.text)", "--create_if_missing", "put", "order", "1")
      try #require(result.exitStatus == 0, "\(result.error)")
    } else {
      let process = try open(engine)
      process.send(SIGKILL)
      _ = process.wait()
    }
  }

  private func reason(_ engine: Engine, _ process: RunningProcess) -> String {
    "it is part of \(engine.name) that process \(process.processID) (python3) has open: a plain copy may be of different moments"
  }

  @Test(arguments: Engine.allCases)
  func itIsTornAsLongAsAProcessHasItOpen(engine: Engine) throws {
    try make(engine)
    let rest = try shop.backup()
    #expect(rest.problems == [] && rest.envelope.consistency == .stable)
    let process = try open(engine)
    let live = try shop.backup()
    #expect(live.exitStatus == .incomplete && live.envelope.consistency == .torn)
    #expect(!live.problems.isEmpty)
    #expect(live.problems.allSatisfy { $0.reason == reason(engine, process) }, "\(live.problems)")
    let torn = try shop.entries().filter { $0.value.file?.consistency == .torn }.keys.sorted()
    switch engine {
    case .lmdb: #expect(torn == ["stock/data.mdb"])
    case .lmdbFile: #expect(torn == ["stock"])
    case .levelDB, .rocksDB:
      #expect(torn.contains("stock/CURRENT") && torn.contains { $0.hasPrefix("stock/MANIFEST-") }, "\(torn)")
      #expect(torn.contains { $0.hasSuffix(".log") } && !torn.contains { $0.hasSuffix(".sst") || $0.hasSuffix(".ldb") })
    }
    process.send(SIGKILL)
    _ = process.wait()
    let closed = try shop.backup()
    #expect(closed.problems == [] && closed.envelope.consistency == .stable)
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// Opened without a lock: the descriptor tells.
  @Test func aWriterWithoutALockIsFoundByWhatItHasOpen() throws {
    try make(.levelDB)
    let script = """
      import sys, time
      f = open(sys.argv[1], "r+b")
      open(sys.argv[2], "w").write("open")
      time.sleep(1000)
      """
    let said = tool.directory.appending("said")
    for (mode, isTorn) in [("r+b", true), ("rb", false)] {
      TestFiles.remove(said)
      var start = RunningProcess.Start([
        "/usr/bin/python3", "-c", script.replacing("r+b", with: mode), place.appending("LOCK").text, said.text,
      ])
      start.environment = tool.environment
      let process = RunningProcess(start)
      while TestFiles.read(said) != Array("open".utf8) { Pause.briefly() }
      let report = try shop.backup()
      #expect(report.problems.isEmpty != isTorn, "who only reads changes nothing")
      if isTorn { #expect(report.problems.allSatisfy { $0.reason == reason(.levelDB, process) }) }
      process.send(SIGKILL)
      _ = process.wait()
    }
  }

  /// A lock of a process in another container looks like this one, which belongs to an open file.
  @Test func aLockWithoutAProcessThatCanBeNamedIsALock() throws {
    try make(.levelDB)
    let process = try start(
      """
      import fcntl, struct, sys
      lock = open(sys.argv[1] + "/LOCK", "r+b")
      fcntl.fcntl(lock, 37, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0))
      """)
    let report = try shop.backup()
    #expect(
      report.problems.contains(
        Problem(
          path: Path("stock/CURRENT"),
          reason:
            "it is part of a LevelDB database that a process that cannot be seen from here has open: a plain copy may be of different moments"
        )))
    withExtendedLifetime(process) {}
  }

  @Test func oneThatIsOpenedDuringTheCaptureIsNamed() throws {
    try make(.levelDB)
    TestFiles.write("order", to: shop.source.appending("zz"))
    let (tool, arguments) = (tool, ["/usr/bin/python3", "-c", Engine.levelDB.script, place.text])
    let probe = MeddlingProbe(before: .open, of: "zz") { _ in
      tool.other(arguments[0], arguments[1], arguments[2], arguments[3])
    }
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(probe.times == 1)
    #expect(
      report.problems == [
        Problem(
          path: Path("stock"),
          reason: "a LevelDB database was opened during the backup: its files may be of different moments")
      ])
    #expect(report.exitStatus == .incomplete)
  }

  /// Whoever may write in a directory of the source can hold such a file open.
  @Test func aFileThatPretendsToBeAServersCostsNothingElse() throws {
    TestFiles.makeDirectory(shop.source.appending("user"))
    TestFiles.write("order", to: shop.source.appending("order"))
    let said = tool.directory.appending("said")
    var start = RunningProcess.Start([
      "/usr/bin/python3", "-c",
      "import sys, time; f = open(sys.argv[1], 'w'); f.write('x' * 1000); f.flush(); open(sys.argv[2], 'w').write('open'); time.sleep(600)",
      shop.source.appending("user/ibdata1").text, said.text,
    ])
    start.environment = tool.environment
    let process = RunningProcess(start)
    while TestFiles.read(said) != Array("open".utf8) { Pause.briefly() }
    let report = try shop.backup()
    #expect(
      report.problems == [
        Problem(
          path: Path("user/ibdata1"),
          reason:
            "it is part of a MariaDB or MySQL server that process \(process.processID) (python3) has open: a plain copy may be of different moments"
        )
      ])
    #expect(report.exitStatus == .incomplete)
    #expect(try shop.entries()["order"]?.file != nil)
    process.send(SIGKILL)
    _ = process.wait()
  }

  @Test func whatOnlyHasTheNamesIsNoDatabase() throws {
    for (name, text) in [
      ("CURRENT", "water"), ("data.mdb", "not a database"), ("package-lock", "x"), ("LOCK", ""), ("package", "y"),
    ] { TestFiles.write(text, to: shop.source.appending(name)) }
    TestFiles.makeDirectory(shop.source.appending("ibdata1"))
    let report = try shop.backup()
    #expect(report.problems == [])
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// Nothing but names is looked at where there is no such database.
  @Test func aSourceWithoutSuchADatabaseIsNotSearchedForProcesses() throws {
    TestFiles.write("order", to: shop.source.appending("order"))
    let probe = MeddlingProbe(before: .open, of: "/proc") { _ in }
    try shop.backup(in: shop.repository(probe: probe))
    #expect(probe.times == 0)
    try make(.levelDB)
    try shop.backup(in: shop.repository(probe: probe))
    #expect(probe.times == 1)
  }
}
