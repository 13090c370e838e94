internal import Glibc
package import HoldfastModel
internal import Synchronization

/// A real PostgreSQL cluster on a socket in a temporary directory. It is stopped when the test releases it. The server
/// refuses to run as root: then it, and the programs that a test runs beside it, run as the user `postgres`.
package final class TestCluster {
  package struct Failure: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
  }

  /// The directory of the socket, of the log, and of everything that the server's user must read and write.
  package let directory = TemporaryDirectory()
  package let data: Path
  package private(set) var isRunning = false
  private let programs: Path
  /// The clusters that are copied, by the options of `initdb`. They are never started.
  private static let models = Mutex<[[String]: TestCluster]>([:])

  /// Makes a new cluster, which is not started.
  /// - Parameters:
  ///   - settings: further settings, beside those that keep a test fast.
  ///   - options: options of `initdb`: `--wal-segsize=1`, `--data-checksums`.
  ///   - isUnlikeOthers: true if its system identifier is its own, and where an option names a path. Making that takes
  ///     a second of processor time, so others are copies of one cluster with these options, and have its identifier.
  package init(
    settings: [String: String] = [:], options: [String] = ["--data-checksums"], isUnlikeOthers: Bool = false
  ) throws {
    data = directory.appending("data")
    programs = try Self.findPrograms()
    try Self.giveToServer(directory.path)
    if !isUnlikeOthers {
      try run("cp", "-a", "--reflink=auto", Self.modelData(options).text, data.text)
    } else {
      try run(
        programs.appending("initdb").text, "--pgdata", data.text, "--no-sync", "--no-instructions", "--auth=trust",
        "--username=postgres", "--encoding=UTF8", "--locale=C", more: options)
    }
    set(["fsync": "off", "shared_buffers": "'16MB'", "autovacuum": "off"].merging(settings) { $1 })
  }

  /// Returns the data directory that is copied. It is removed when the process of the tests ends.
  private static func modelData(_ options: [String]) throws -> Path {
    try models.withLock { models in
      if let model = models[options] { return model.data }
      if models.isEmpty { atexit { TestCluster.models.withLock { $0 = [:] } } }
      let made = try TestCluster(options: options, isUnlikeOthers: true)
      models[options] = made
      return made.data
    }
  }

  /// Makes a cluster of an existing data directory, for example a restored one.
  package init(restored data: Path) throws {
    self.data = data
    programs = try Self.findPrograms()
    try Self.giveToServer(directory.path)
  }

  deinit {
    if isRunning { try? stop("immediate") }
  }

  /// Returns the directory of the programs, of the highest version among Debian's packages.
  private static func findPrograms() throws -> Path {
    let versions = Path("/usr/lib/postgresql")
    guard let version = TestFiles.names(in: versions).compactMap({ Int($0) }).max() else {
      throw Failure(description: "PostgreSQL is not installed: run Scripts/install-deps test")
    }
    return versions.appending("\(version)").appending("bin")
  }

  // MARK: The server's user

  /// The words before a command that run it as the user of the server.
  package static var asServer: [String] {
    Tool.isRoot ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : []
  }

  /// Makes that user the owner of a file or directory, with everything in it.
  package static func giveToServer(_ path: Path) throws {
    guard Tool.isRoot else { return }
    let start = RunningProcess.Start(["chown", "-R", "postgres:postgres", path.text])
    let result = RunningProcess(start).wait()
    guard result.exitStatus == 0 else { throw Failure(description: result.error) }
  }

  /// Returns a copy of a program of this test that that user can run: the build may be accessible to its owner only.
  package func copy(of program: Path, as name: String) throws -> Path {
    let copy = directory.appending(name)
    // Another process copies it. If this one did, a child that is started meanwhile would inherit the open file, and it
    // could not be run.
    let start = RunningProcess.Start(["cp", program.text, copy.text])
    let result = RunningProcess(start).wait()
    guard result.exitStatus == 0 else { throw Failure(description: result.error) }
    TestFiles.setMode(copy, 0o755)
    return copy
  }

  /// Returns the start of a program beside the server, as its user, in `directory`.
  package func start(_ arguments: [String]) -> RunningProcess.Start {
    var start = RunningProcess.Start(Self.asServer + arguments)
    start.directory = directory.path
    return start
  }

  /// Runs a program to its end.
  /// - Returns: its standard output.
  @discardableResult
  package func run(_ arguments: String..., more: [String] = []) throws -> String {
    let result = RunningProcess(start(arguments + more)).wait()
    guard result.exitStatus == 0 else {
      throw Failure(description: "\(arguments.joined(separator: " ")): status \(result.exitStatus): \(result.error)")
    }
    return result.output
  }

  // MARK: The server

  /// Adds settings to postgresql.conf; the last one of a name counts. They apply from the next start or reload.
  package func set(_ settings: [String: String]) {
    let file = data.appending("postgresql.conf")
    let lines = settings.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)\n" }.joined()
    TestFiles.write((TestFiles.read(file) ?? []) + Array(lines.utf8), to: file)
  }

  /// The log of the server.
  package var log: String { String(decoding: TestFiles.read(directory.appending("log")) ?? [], as: UTF8.self) }

  /// Starts the server, and returns when it answers. After a recovery this is when a hot standby would answer.
  /// - Parameter more: options of the server.
  package func start(more: String = "") throws {
    do {
      try control(
        "start", "--log", directory.appending("log").text, "--options",
        "-c listen_addresses='' -c unix_socket_directories='\(directory.path.text)' \(more)")
    } catch {
      throw Failure(description: "\(error)\n\(log)")
    }
    isRunning = true
  }

  /// - Parameter mode: `fast`, `smart`, or `immediate`, which is a crash.
  package func stop(_ mode: String = "fast") throws {
    isRunning = false
    let file = TestFiles.read(data.appending("postmaster.pid")) ?? []
    let process = String(decoding: file.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    try control("stop", "--mode", mode)
    // pg_ctl looks only for its file: the server itself ends a moment later, and lies in its directory until then.
    let place = Path("/proc/\(process)/cwd")
    for _ in 0..<2000 where !process.isEmpty && TestFiles.exists(place) { usleep(5000) }
  }

  private func control(_ action: String, _ arguments: String...) throws {
    try run(
      programs.appending("pg_ctl").text, action, "--pgdata", data.text, "--wait", "--timeout=100", more: arguments)
  }

  /// The connection string for libpq.
  package var connection: String { "host=\(directory.path.text) user=postgres dbname=postgres" }

  /// Returns the answer to a statement: columns joined by `|`, rows by newlines.
  @discardableResult
  package func psql(_ statement: String, database: String = "postgres") throws -> String {
    let output = try run(
      programs.appending("psql").text, "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "\(connection) dbname=\(database)", "-c",
      statement)
    return output.hasSuffix("\n") ? String(output.dropLast()) : output
  }

  /// Starts a session, and waits until a session has its advisory lock, or waits for it.
  /// - Parameter state: the state of the lock, as a condition on `pg_locks`.
  package func session(_ statements: String, until state: String) throws -> RunningProcess {
    let process = RunningProcess(start([program("psql"), "-XAtq", "-d", connection, "-c", statements]))
    try wait(until: "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND \(state))")
    return process
  }

  /// Waits until a condition holds, for a minute at most. The server looks, so it takes one process. Each look is a
  /// transaction of its own: one that lasts would hold up a recovery.
  package func wait(until condition: String) throws {
    try psql(
      """
      DO $$ BEGIN
        FOR look IN 1..3000 LOOP
          IF (SELECT \(condition)) THEN RETURN; END IF;
          COMMIT;
          PERFORM pg_sleep(0.02), pg_stat_clear_snapshot();
        END LOOP;
        RAISE 'it did not come to be so';
      END $$
      """)
  }

  /// Returns the path of a program of PostgreSQL's, such as `pg_waldump`.
  package func program(_ name: String) -> String { programs.appending(name).text }

  /// Makes a tablespace in a directory of its own, which is made too.
  /// - Parameter place: `nil` for one of its name beside the data directory.
  /// - Returns: its directory, and its object identifier, which is the name of its link in `pg_tblspc`.
  @discardableResult
  package func makeTablespace(_ name: String, at place: Path? = nil) throws -> (place: Path, oid: String) {
    let place = place ?? directory.appending(name)
    TestFiles.makeDirectory(place)
    try Self.giveToServer(place)
    try psql("CREATE TABLESPACE \(name) LOCATION '\(place.text)'")
    return (place, try psql("SELECT oid FROM pg_tablespace WHERE spcname = '\(name)'"))
  }

  // MARK: Load

  /// Makes the tables of pgbench: 15 MiB for each unit of the scale.
  package func initializePgbench(scale: Int = 1) throws {
    try run(program("pgbench"), "-i", "-q", "-s", "\(scale)", connection)
  }

  /// Runs pgbench to its end.
  package func pgbench(clients: Int = 2, transactions: Int) throws {
    try run(program("pgbench"), "-n", "-c", "\(clients)", "-t", "\(transactions)", connection)
  }

  /// Starts pgbench, which runs until it is stopped (SIGINT) or the seconds are over.
  package func beginPgbench(clients: Int = 2, seconds: Int) -> RunningProcess {
    RunningProcess(start([program("pgbench"), "-n", "-c", "\(clients)", "-T", "\(seconds)", connection]))
  }

  /// Returns the sums of accounts, tellers, branches and history. In every committed state of pgbench they are the same
  /// number, so the set has one element.
  package func pgbenchSums() throws -> Set<String> {
    let sums = try psql(
      """
      SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
        (SELECT sum(bbalance) FROM pgbench_branches), (SELECT coalesce(sum(delta), 0) FROM pgbench_history)
      """)
    return Set(sums.split(separator: "|").map(String.init))
  }
}
