import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Whoever kills `wal push` or `wal fetch` while it works ahead: what was acknowledged is archived, the archive has no
/// gap, and no server gets half a segment.
@Suite(.timeLimit(.minutes(30))) struct WALKillTests {
  @Test func aPushIntoADirectoryThatIsKilled() throws {
    try archive(seeds: Trials.seeds(byDay: 2, atNight: 60)) { KilledServer() }
  }

  @Test(.requires(.sshServer)) func aPushToASFTPServerThatIsKilled() throws {
    let server = try SSHServer()
    try archive(seeds: Trials.seeds(byDay: 1, atNight: 20)) { KilledServer(behind: server) }
  }

  @Test func aFetchFromADirectoryThatIsKilled() throws {
    try recover(seeds: Trials.seeds(byDay: 2, atNight: 60)) { KilledServer() }
  }

  @Test(.requires(.sshServer)) func aFetchFromASFTPServerThatIsKilled() throws {
    let server = try SSHServer()
    try recover(seeds: Trials.seeds(byDay: 1, atNight: 20)) { KilledServer(behind: server) }
  }

  // MARK: Pushing

  private func archive(seeds: [UInt64], _ makeServer: () -> KilledServer) throws {
    var kills = 0
    for seed in seeds {
      print("seed \(seed)")
      kills += try archive(makeServer(), seed)
    }
    #expect(kills > 0, "every push was too fast to be killed")
  }

  /// The server asks for each segment until it gets 0, and removes it then, as PostgreSQL does.
  /// - Returns: number of pushes that were killed.
  private func archive(_ server: KilledServer, _ seed: UInt64) throws -> Int {
    var random = SeededRandom(seed: seed)
    var kills = 0
    try server.makeRepository()
    server.makeSegments()
    for index in server.segments.indices {
      let path = "pg_wal/" + server.name(index)
      var isAcknowledged = false
      while !isAcknowledged {
        let change = random.moment(upTo: 3 * KilledServer.ahead)
        let result = server.run(["wal", "push", path], killedAfter: change) { server.archivedFiles }
        let archived = server.archivedNames
        try #require(
          archived == server.segments.prefix(archived.count).map(\.name.text),
          "seed \(seed): a gap after the push of segment \(index)")
        isAcknowledged = result.exitStatus == 0
        try #require(isAcknowledged || result.exitStatus == -SIGKILL, "seed \(seed): \(result.error)")
        kills += isAcknowledged ? 0 : 1
      }
      server.forget(index)
      // It is nowhere else any more.
      let fetched = server.run(["wal", "fetch", server.name(index), "fetched"])
      try #require(fetched.exitStatus == 0, "seed \(seed): segment \(index) is lost: \(fetched.error)")
      try #require(TestFiles.read(server.data.appending("fetched")) == server.segments[index].bytes, "seed \(seed)")
    }
    #expect(server.archivedNames == server.segments.map(\.name.text))
    #expect(server.receipts == [], "seed \(seed): a receipt that nobody asked for")
    let verified = server.run(["verify", "--data"], options: [])
    #expect(verified.exitStatus == 0, "seed \(seed): \(verified.error)")
    return kills
  }

  // MARK: Fetching

  private func recover(seeds: [UInt64], _ makeServer: () -> KilledServer) throws {
    var kills = 0
    for seed in seeds {
      print("seed \(seed)")
      kills += try recover(makeServer(), seed)
    }
    #expect(kills > 0, "every fetch was too fast to be killed")
  }

  /// The server asks for each segment until it gets 0. After a kill it begins anew, and takes nothing that is there
  /// already; but whatever lies under the name that it asked for is whole.
  /// - Returns: number of fetches that were killed.
  private func recover(_ server: KilledServer, _ seed: UInt64) throws -> Int {
    var random = SeededRandom(seed: seed)
    var kills = 0
    try server.makeRepository()
    server.makeSegments()
    for index in server.segments.indices {
      let pushed = server.run(["wal", "push", "pg_wal/" + server.name(index)])
      try #require(pushed.exitStatus == 0, "\(pushed.error)")
      server.forget(index)
    }
    for index in server.segments.indices {
      let bytes = server.segments[index].bytes
      while true {
        let change = random.moment(upTo: KilledServer.ahead * TestLog.segmentBytes)
        let result = server.run(
          ["wal", "fetch", server.name(index), "pg_wal/RECOVERYXLOG"], killedAfter: change
        ) { server.fetchedBytes }
        let given = TestFiles.read(server.target)
        try #require(given == nil || given == bytes, "seed \(seed): not segment \(index) as it was archived")
        TestFiles.remove(server.target)
        if result.exitStatus == 0 {
          try #require(given == bytes, "seed \(seed): segment \(index)")
          break
        }
        try #require(result.exitStatus == -SIGKILL, "seed \(seed): \(result.error)")
        kills += 1
      }
    }
    let end = server.run(["wal", "fetch", "00000002.history", "pg_wal/RECOVERYHISTORY"])
    #expect(end.exitStatus == 1, "seed \(seed): \(end.error)")
    #expect(TestFiles.names(in: server.spool) == [], "seed \(seed)")
    #expect(
      Set(TestFiles.names(in: server.log)) == [".holdfast-ahead", "archive_status"], "seed \(seed): a leftover")
    return kills
  }
}

/// A PostgreSQL server that calls the built binary, one call after the other, and loses calls to a SIGKILL.
private struct KilledServer {
  static let ahead = 5

  let segments = Self.madeSegments
  private let tool = Tool()
  private let ssh: SSHServer?

  /// - Parameter ssh: the server of the repository; `nil` when it is in a directory.
  init(behind ssh: SSHServer? = nil) {
    self.ssh = ssh
  }

  /// More than are worked ahead.
  private static let madeSegments: [(name: WALFileName, bytes: [UInt8])] = {
    var log = TestLog()
    for index in 0..<(Trials.areAll ? 12 : 8) {
      log.commit(at: TestLogs.noon + Int64(index))
      log.switchSegment()
    }
    return log.segments
  }()

  var data: Path { tool.directory.appending("data") }
  var log: Path { data.appending("pg_wal") }
  var target: Path { log.appending("RECOVERYXLOG") }
  var spool: Path { log.appending(".holdfast-ahead") }
  private var status: Path { log.appending("archive_status") }

  func name(_ index: Int) -> String { segments[index].name.text }

  func makeRepository() throws {
    for directory in [data, log, status] { TestFiles.makeDirectory(directory) }
    let result = run(["init", "--unsealed"], options: [])
    try #require(result.exitStatus == 0, "\(result.error)")
  }

  /// All are ready to be archived.
  func makeSegments() {
    for segment in segments {
      TestFiles.write(segment.bytes, to: log.appending(segment.name.text))
      TestFiles.write("", to: status.appending(segment.name.text + ".ready"))
    }
  }

  func forget(_ index: Int) {
    TestFiles.remove(status.appending(name(index) + ".ready"))
    TestFiles.remove(log.appending(name(index)))
  }

  /// Runs holdfast in the data directory.
  /// - Parameters:
  ///   - change: by how much `measure` changes until it is killed; `nil` when it is not.
  func run(
    _ arguments: [String], options: [String]? = nil, killedAfter change: Int? = nil, measure: () -> Int = { 0 }
  ) -> ProcessResult {
    let usual = ["--name", "orders", "--system", "\(TestLog().system)", "--ahead", "\(Self.ahead)", "--workers", "3"]
    var start = tool.start(arguments + (options ?? usual))
    start.directory = data
    if let ssh {
      start.environment["HOLDFAST_REPOSITORY"] = ssh.location(tool.repository)
      start.environment["HOLDFAST_SSH_COMMAND"] = ssh.command()
    }
    let before = measure()
    let process = RunningProcess(start)
    if let change, process.stop(when: { abs(measure() - before) >= change }) { process.send(SIGKILL) }
    return process.wait()
  }

  // MARK: What there is

  /// The files of the archive and of what the machine remembers of it: each step of a push changes their number.
  var archivedFiles: Int {
    TestFiles.allFiles(in: tool.repository.appending("wal")).count + TestFiles.names(in: tool.state).count
  }

  /// The archived segments, in ascending order.
  var archivedNames: [String] {
    TestFiles.allFiles(in: tool.repository.appending("wal")).map { String(decoding: $0.lastComponent, as: UTF8.self) }
      .filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }.map { String($0.prefix(24)) }.sorted()
  }

  var receipts: [String] { TestFiles.names(in: tool.state).filter { $0.contains("-wal-") && $0.hasSuffix(".json") } }

  /// How much of the log was written for the server, or ahead.
  var fetchedBytes: Int {
    (TestFiles.allFiles(in: log)).reduce(0) { $0 + (TestFiles.status($1)?.size ?? 0) }
  }
}

extension SeededRandom {
  /// A moment at which a process is killed, by what has changed until then: the very first change half of the time,
  /// as a call that has nothing left to do changes little.
  fileprivate mutating func moment(upTo most: Int) -> Int {
    Bool.random(using: &self) ? 1 : Int.random(in: 1...most, using: &self)
  }
}
