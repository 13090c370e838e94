import HoldfastModel
import HoldfastTestSupport
import Testing

/// A real server archives through the built binary, and gets its log back from it.
@Suite struct WALArchiveTests {
  /// A cluster whose archive_command is the built binary, run by the server's user.
  struct Shop {
    let cluster: TestCluster
    let binary: Path
    let repository: Path
    var keys: [String: String] = [:]

    init(
      isSealed: Bool, segmentMebibytes: Int = 1, settings: [String: String] = [:], hasChecksums: Bool = true
    ) throws {
      cluster = try TestCluster(
        settings: ["wal_keep_size": "'4GB'"].merging(settings) { $1 },
        options: (hasChecksums ? ["--data-checksums"] : []) + ["--wal-segsize=\(segmentMebibytes)"])
      binary = try cluster.copy(of: Tool.binary, as: "holdfast")
      repository = cluster.directory.appending("repository")
      keys = [
        "HOLDFAST_WRITER_KEY_FILE": cluster.directory.appending("writer.key").text,
        "HOLDFAST_STATE_DIR": cluster.directory.appending("state").text,
        "HOLDFAST_CACHE_DIR": cluster.directory.appending("cache").text,
        "HOLDFAST_CONFIG_DIR": cluster.directory.appending("configuration").text,
        "HOLDFAST_REPOSITORY": repository.text,
      ]
      if isSealed {
        let recipient = try holdfast("key", "generate", "identity")
        try holdfast("init", "--recipient", String(recipient.dropLast()))
      } else {
        try holdfast("init", "--unsealed")
      }
      let variables = keys.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
      cluster.set([
        "archive_mode": "on",
        "archive_command": "'env \(variables) \(binary.text) wal push %p --name orders'",
      ])
    }

    /// Runs the binary as the server's user.
    func run(_ arguments: [String], configure: (inout RunningProcess.Start) -> Void = { _ in }) -> ProcessResult {
      var start = cluster.start([binary.text] + arguments)
      start.environment.merge(keys) { $1 }
      configure(&start)
      return RunningProcess(start).wait()
    }

    @discardableResult
    func holdfast(_ arguments: String...) throws -> String {
      let result = run(arguments)
      guard result.exitStatus == 0 else { throw TestCluster.Failure(description: "\(arguments): \(result.error)") }
      return result.output
    }

    /// Waits until the server has archived everything up to now.
    /// - Returns: the name of the last segment.
    @discardableResult
    func archiveAll() throws -> String {
      // A restore point first: a switch at the very beginning of a segment would do nothing.
      let last = try cluster.psql("SELECT pg_walfile_name(pg_create_restore_point('archive all'))")
      try cluster.psql("SELECT pg_switch_wal()")
      try cluster.wait(until: "last_archived_wal >= '\(last)' FROM pg_stat_archiver")
      return last
    }

    /// The segments in `pg_wal` up to one.
    func segments(to last: String) -> [String] {
      TestFiles.names(in: cluster.data.appending("pg_wal")).filter { $0.utf8.count == 24 && $0 <= last }.sorted()
    }

    func fetch(_ name: String) -> (status: Int32, bytes: [UInt8]?, error: String) {
      let target = cluster.directory.appending("fetched")
      TestFiles.remove(target)
      let result = run(["wal", "fetch", name, target.text, "--name", "orders"]) {
        if keys["identity"] == nil {
          $0.environment["HOLDFAST_IDENTITY_FILE"] = cluster.directory.appending("identity").text
        }
      }
      return (result.exitStatus, TestFiles.read(target), result.error)
    }
  }

  @Test(arguments: [false, true]) func allSegmentsOfAServerArriveAsTheyAre(isSealed: Bool) throws {
    let shop = try Shop(isSealed: isSealed)
    try shop.cluster.start()
    try shop.cluster.initializePgbench()
    try shop.cluster.pgbench(transactions: 1000)
    let last = try shop.archiveAll()
    let names = shop.segments(to: last)
    #expect(names.count > 10)
    #expect(try shop.cluster.psql("SELECT failed_count FROM pg_stat_archiver") == "0")
    for name in names {
      let fetched = shop.fetch(name)
      #expect(fetched.status == 0, "\(fetched.error)")
      #expect(fetched.bytes == TestFiles.read(shop.cluster.data.appending("pg_wal").appending(name)), "\(name)")
    }
    let missing = shop.fetch("0000000100000FFF00000000")
    #expect(missing.status == 1 && missing.bytes == nil)
    #expect(missing.error == "holdfast: 0000000100000FFF00000000 is not archived for orders\n")
    // As PostgreSQL calls it: a path below the data directory, which is where it runs.
    let again = shop.run(["wal", "push", "pg_wal/\(last)", "--name", "orders", "--json"]) {
      $0.directory = shop.cluster.data
    }
    #expect(again.exitStatus == 0 && again.output.contains("\"alreadyArchived\" : true"), "\(again.error)")
  }

  @Test func aServerThatIsKilledArchivesOnWhereItWas() throws {
    let shop = try Shop(isSealed: true)
    try shop.cluster.start()
    try shop.cluster.initializePgbench()
    for _ in 0..<3 {
      let bench = shop.cluster.beginPgbench(seconds: 60)
      for _ in 0..<20 { try shop.cluster.psql("SELECT pg_switch_wal(); SELECT txid_current()") }
      try shop.cluster.stop("immediate")
      _ = bench.wait()
      try shop.cluster.start()
    }
    let last = try shop.archiveAll()
    for name in shop.segments(to: last) {
      #expect(
        shop.fetch(name).bytes == TestFiles.read(shop.cluster.data.appending("pg_wal").appending(name)), "\(name)")
    }
  }

  // MARK: Exit statuses

  @Test func onlyTheEndOfTheLogEndsAFetchWithOne() throws {
    let tool = Tool()
    tool.run("init", "--unsealed")
    let log = TestLogs.three
    let names = log.segments.map(\.name.text)
    func push(_ index: Int) {
      let path = tool.directory.appending(names[index])
      TestFiles.write(log.segments[index].bytes, to: path)
      #expect(tool.run("wal", "push", path.text, "--name", "orders").exitStatus == 0)
    }
    func fetch(_ arguments: String...) -> (status: Int32, error: String) {
      let result = RunningProcess(tool.start(["wal", "fetch"] + arguments)).wait()
      return (result.exitStatus, result.error)
    }
    let empty = fetch(names[0], "target", "--name", "orders")
    #expect(empty.status == 126)
    #expect(
      empty.error == """
        holdfast: no write-ahead log is archived for orders
        HINT: Check --name and --repository; `holdfast wal status` shows what there is.

        """)
    push(0)
    push(2)
    #expect(fetch(names[0], "target", "--name", "orders").status == 0)
    #expect(fetch("000000010000000000000004", "target", "--name", "orders").status == 1)
    #expect(fetch("000000010000000000000000", "target", "--name", "orders").status == 1)
    #expect(fetch("00000002.history", "target", "--name", "orders").status == 1)
    #expect(fetch("000000020000000000000002", "target", "--name", "orders").status == 1)
    let gap = fetch(names[1], "target", "--name", "orders")
    #expect(gap.status == 126)
    #expect(
      gap.error == """
        holdfast: 000000010000000000000002 is missing in the archive of orders, though 000000010000000000000003 is there: recovery would end before its time
        HINT: Archive it if it still lies in a pg_wal; `holdfast wal status` shows all gaps, and how far recovery can reach.

        """)
    #expect(fetch(names[0], "target", "--name", "order").status == 126, "a name mistyped")
    #expect(fetch(names[0], "target", "--name", "orders", "--system", "1").status == 126)
    #expect(fetch(names[0], "nowhere/target", "--name", "orders").status == 126)
    #expect(fetch(names[0], "target", "--name", "orders", "--repository", "elsewhere").status == 126)
    #expect(fetch(names[0]).status == 126, "a wrong command line")
    #expect(fetch("nonsense", "target", "--name", "orders").status == 126)
    #expect(RunningProcess(tool.start(["--frobnicate", "wal", "fetch"])).wait().exitStatus == 126)
    #expect(fetch("--help").status == 0)
    let object = TestFiles.allFiles(in: tool.repository).first { $0.text.contains(names[0] + "-") }
    TestFiles.overwrite(try #require(object), at: 70, with: [0, 1, 2, 3])
    let damaged = fetch(names[0], "target", "--name", "orders")
    #expect(damaged.status == 126 && damaged.error.contains("is damaged: frame 0 does not have its digest"))
    #expect(tool.unfinishedObjects.isEmpty)
    #expect(!TestFiles.names(in: tool.directory.path).contains { $0.contains("unfinished") })
  }

  @Test func withoutAnIdentityASealedLogIsNotTakenForOneThatEnded() throws {
    let tool = SealedTool()
    tool.makeRepository()
    let segment = TestLogs.three.segments[0]
    let path = tool.directory.appending(segment.name.text)
    TestFiles.write(segment.bytes, to: path)
    #expect(tool.run("wal", "push", path.text, "--name", "orders").exitStatus == 0)
    let closed = tool.run("wal", "fetch", segment.name.text, "target", "--name", "orders")
    #expect(closed.exitStatus == 126)
    #expect(
      tool.plain(closed.error) == """
        holdfast: the repository is sealed, and no identity was named; it is sealed to recipient-1 (ID)
        HINT: Name the identity of one of them with --identity FILE or HOLDFAST_IDENTITY_FILE.

        """)
    tool.generate("other")
    let wrong = tool.run("wal", "fetch", segment.name.text, "target", "--name", "orders", "--identity", "other")
    #expect(wrong.exitStatus == 126)
    #expect(
      tool.plain(wrong.error).hasPrefix(
        "holdfast: none of the identities at hand opens this part of the log; it is sealed to recipient-1 (ID)\n"))
    #expect(
      tool.run("wal", "fetch", segment.name.text, "target", "--name", "orders", "--identity", "identity").exitStatus
        == 0)
    #expect(TestFiles.read(tool.directory.appending("target")) == segment.bytes)
    // Nothing in the repository tells what is in the log.
    for file in TestFiles.allFiles(in: tool.repository) {
      let bytes = TestFiles.read(file) ?? []
      #expect(!String(decoding: bytes, as: UTF8.self).contains("release 7"), "\(file)")
    }
  }

  @Test func aPushSaysWhatIsWrong() throws {
    let tool = Tool()
    tool.run("init", "--unsealed")
    TestFiles.write("x", to: tool.directory.appending("x"))
    let name = tool.run("wal", "push", "x", "--name", "orders")
    #expect(name.exitStatus == 2)
    #expect(
      name.error == """
        holdfast: x is not the name of a file that PostgreSQL archives
        HINT: Say archive_command = 'holdfast wal push %p --name NAME'.

        """)
    TestFiles.write("x", to: tool.directory.appending("000000010000000000000001"))
    let text = tool.run("wal", "push", "000000010000000000000001", "--name", "orders")
    #expect(text.exitStatus == 1)
    #expect(
      tool.plain(text.error) == """
        holdfast: DIR/000000010000000000000001 is not a file of a write-ahead log that can be archived: it does not begin with a page of a write-ahead log (PostgreSQL 12 or later)
        HINT: Nothing was stored. Look at what PostgreSQL's log says of it, and at the disk that it lies on.

        """)
    #expect(tool.run("wal", "push", "gone", "--name", "orders").exitStatus == 2)
    #expect(tool.run("wal", "push", "000000010000000000000002", "--name", "orders").exitStatus == 1)
  }
}
