internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// A private PostgreSQL server on a restored cluster. It listens on a socket in the scratch directory alone, archives
/// nothing, and reaches no other server. It is stopped when this is released, and when this process ends.
final class DrillServer {
  private static let port = 5432
  /// The longest path of a socket (unix(7)).
  private static let socketPathMax = 107
  private static let logBytesMax = 1 << 20
  let programs: PostgresPrograms
  private let cluster: Path
  private let scratch: Scratch
  private let host: Host
  private var process: SupervisedCommand?
  /// The roles that may be the superuser of the cluster, the likeliest first.
  private var roles: [String]
  /// The role as which assertions are asked, once it is made.
  private var reader: ReadingRole?
  /// The least values of settings with which a server can replay the log of the cluster.
  private let minima: [String: Int32]
  /// The words before a command that run it as the server's user.
  private let asServer: String

  /// - Parameters:
  ///   - cluster: the restored data directory.
  ///   - minima: the least values of settings that its archived log demands.
  ///   - places: directories with the programs of PostgreSQL.
  ///   - isRoot: true if this process is root: the server runs as the owner of the cluster then.
  init(
    on cluster: Path, in scratch: Scratch, minima: [String: Int32], programs places: [String], isRoot: Bool, host: Host
  ) throws {
    (self.cluster, self.scratch, self.host) = (cluster, scratch, host)
    let control = try host.files.open(cluster.appending(ControlFile.path.bytes), .read)
    let own = try control.contents(max: ControlFile.byteCount).withUnsafeBytes { ControlFile.minima($0) } ?? [:]
    self.minima = own.merging(minima) { max($0, $1) }.merging(Self.leastSettings) { max($0, $1) }
    let versionFile = try host.files.open(cluster.appending(PostgresCluster.versionFile), .read)
    let version = String(decoding: try versionFile.contents(max: 64), as: UTF8.self)
    programs = try PostgresPrograms(version: version.filter { !$0.isWhitespace }, in: places, files: host.files)
    let owner = try versionFile.status()
    guard let account = Accounts.name(of: owner.userID) else {
      throw EngineError(
        .machine, "the restored cluster belongs to the user \(owner.userID), whom this machine does not have",
        hint: "Make that user, or drill where there is one.")
    }
    roles = account == "postgres" ? [account] : ["postgres", account]
    asServer = isRoot ? "setpriv --reuid=\(owner.userID) --regid=\(owner.groupID) --init-groups " : ""
    let socket = scratch.server.appending(".s.PGSQL.\(Self.port)")
    guard socket.bytes.count <= Self.socketPathMax else {
      throw EngineError(
        .usage, "the path \(socket) is too long for a socket of PostgreSQL",
        hint: "Name a directory with a shorter path with --in DIR.")
    }
    try makeFiles(isRoot ? owner : nil)
    guard isRoot else { return }
    guard owner.userID != 0 else {
      throw EngineError(
        .machine, "the restored cluster belongs to root, and no PostgreSQL server runs as root",
        hint: "Run the drill as another user than root.")
    }
    try checkPassable(to: owner, account)
    try scratch.give(to: owner)
  }

  /// - Parameter owner: the user of the server; `nil` for the user of this process.
  private func makeFiles(_ owner: FileStatus?) throws {
    let files = host.files
    try files.makeDirectory(scratch.server, permissions: 0o700)
    var made = [try files.open(scratch.server, .directory)]
    // Nobody but this user and root gets as far as the socket.
    for (name, text) in [("postgresql.conf", ""), ("pg_ident.conf", ""), ("pg_hba.conf", "local all all trust\n")] {
      let file = try files.open(scratch.server.appending(name), .create, permissions: 0o600)
      try Array(text.utf8).withUnsafeBytes { try file.write($0, at: 0) }
      made.append(file)
    }
    guard let owner else { return }
    for file in made { try file.setOwner(userID: owner.userID, groupID: owner.groupID) }
  }

  /// Refuses a place that the user of the server cannot reach: it would look like a server that cannot start.
  private func checkPassable(to owner: FileStatus, _ account: String) throws {
    var above = scratch.place.path
    while true {
      let status = try host.files.status(of: above, followLink: true)
      let needed: UInt32 =
        status.userID == owner.userID ? 0o100 : status.groupID == owner.groupID ? 0o010 : 0o001
      guard status.mode & needed != 0 else {
        throw EngineError(
          .machine, "the server runs as \(account), who cannot pass through \(above)",
          hint: "Run `chmod o+x \(above)`, or name another directory with --in DIR.")
      }
      guard above != Path("/"), let parent = above.parent else { return }
      above = parent.isEmpty ? Path("/") : parent
    }
  }

  deinit { stop() }

  // MARK: Settings

  /// The settings on the command line, which override those in the files of the cluster. What the cluster brings along
  /// must neither reach the site's servers (replication, subscriptions, background workers, archiving) nor need what
  /// only the site has (certificates, memory, directories), nor wait, nor fill the disk.
  private var settings: [(String, String)] {
    let directory = text(scratch.server)
    return [
      ("config_file", directory + "/postgresql.conf"), ("hba_file", directory + "/pg_hba.conf"),
      ("ident_file", directory + "/pg_ident.conf"), ("external_pid_file", directory + "/pid"), ("listen_addresses", ""),
      ("unix_socket_directories", directory), ("unix_socket_permissions", "0700"), ("port", String(Self.port)),
      ("archive_mode", "off"), ("archive_command", ""), ("archive_cleanup_command", ""), ("recovery_end_command", ""),
      ("primary_conninfo", ""), ("primary_slot_name", ""), ("synchronous_standby_names", ""), ("hot_standby", "off"),
      ("max_logical_replication_workers", "0"), ("shared_preload_libraries", ""), ("session_preload_libraries", ""),
      ("local_preload_libraries", ""), ("autovacuum", "off"), ("ssl", "off"), ("shared_buffers", "128MB"),
      ("max_wal_size", "256MB"), ("temp_file_limit", "1GB"), ("recovery_min_apply_delay", "0"),
      ("huge_pages", "off"), ("logging_collector", "off"), ("log_destination", "stderr"), ("lc_messages", "C"),
      ("restart_after_crash", "off"),
    ] + (programs.version >= 17 ? [("event_triggers", "off")] : [])
      + minima.sorted { $0.key < $1.key }.map { ($0.key, String($0.value)) }
  }

  /// PostgreSQL's own values of the settings that must be as large as those of the server that wrote the log. Prepared
  /// transactions that were open would not be taken in otherwise.
  private static let leastSettings: [String: Int32] = [
    "max_connections": 100, "max_worker_processes": 8, "max_wal_senders": 10, "max_prepared_transactions": 0,
    "max_locks_per_transaction": 64,
  ]

  private static let logName = "log"

  /// The last lines that the server wrote.
  func logTail(_ count: Int) -> [String] { lines(of: Self.logName).suffix(count).map(String.init) }

  private func lines(of name: String) -> [Substring] {
    guard let file = try? host.files.open(scratch.server.appending(name), .read),
      let bytes = try? file.contents(max: Self.logBytesMax)
    else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
  }

  /// Starts a program as the user of the server.
  /// - Parameter name: the file for what it says. It is opened here, where no link under its name is followed.
  private func start(_ command: String, output name: String) throws -> SupervisedCommand {
    let file = try host.files.open(scratch.server.appending(name), .create, permissions: 0o600)
    return try SupervisedCommand(
      "umask 077; cd / && exec \(asServer)\(command) 2>&1", additions: [:], input: nil, output: file.descriptor)
  }

  // MARK: Start and stop

  /// Starts the server, and returns when it has replayed its log and takes connections.
  /// - Throws: `DrillFailure` if the server ends before that because of what was restored; `LogNotFetched` if it got no
  ///   log.
  func start() throws {
    let options = settings.map { "-c " + ShellText.quoted("\($0)=\($1)") }.joined(separator: " ")
    let running = try start(
      "\(quoted(programs.server)) -D \(quoted(cluster)) \(options)", output: Self.logName)
    process = running
    while !isReady {
      try host.cancellation.check()
      if let status = running.poll() {
        let said = lines(of: Self.logName)
        if let missing = LogNotFetched(said) { throw missing }
        throw ServerTrouble.error(status, said, "before it took connections")
      }
      Pause.briefly()
    }
    try chooseRole()
  }

  /// True if the server has written that it takes connections: the eighth line of its lock file, which pg_ctl waits for
  /// as well (PostgreSQL's utils/pidfile.h).
  private var isReady: Bool {
    guard let file = try? host.files.open(cluster.appending("postmaster.pid"), .read),
      let bytes = try? file.contents(max: 4096)
    else { return false }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    return lines.count >= 8 && lines[7].hasPrefix("ready")
  }

  /// Finds the role that is the superuser of the cluster.
  private func chooseRole() throws {
    for _ in roles {
      do {
        _ = try connect("template1")
        return
      } catch let error as PostgresFailure {
        guard error.hint?.contains("does not exist") == true else { throw error }
        roles = Array(roles.dropFirst()) + roles.prefix(1)
      }
    }
    throw EngineError(
      .usage, "the restored cluster has no role \(roles.map { "\(Path($0))" }.joined(separator: ", nor "))",
      hint: "Make the user who owns the cluster a superuser of it.")
  }

  /// Returns the error of a drill for a session that failed, or was lost with its server.
  func error(_ failure: PostgresFailure, in database: String) -> any OperatorError {
    // A server that lost one of its processes ends by itself, soon after.
    for _ in 0..<Self.endLooksMax where failure.state.isEmpty {
      if let status = process?.poll() {
        return ServerTrouble.error(status, lines(of: Self.logName), "while it was asked")
      }
      Pause.briefly()
    }
    return ServerTrouble.error(failure, in: database)
  }

  private static let endLooksMax = 60

  func stop() {
    process?.end()
    process = nil
  }

  private func quoted(_ path: Path) -> String { ShellText.quoted(text(path)) }

  // MARK: Sessions

  /// Settings of each session, which override those that the cluster keeps for roles and databases.
  private static let sessionOptions =
    "-c session_preload_libraries= -c local_preload_libraries= -c search_path=pg_catalog"
  /// Variables that lead libpq to another server, or change what it does there.
  private static let misleading = [
    "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGOPTIONS",
    "PGREQUIREAUTH", "PGCHANNELBINDING", "PGSSLMODE",
  ]

  /// Opens a session as the superuser.
  /// - Throws: `PostgresFailure`; `EngineError` if another server answers, to which the environment has led.
  func connect(_ database: String) throws -> PostgresConnection {
    let session = try connect(database, as: roles[0], options: Self.sessionOptions)
    let shown = Path(try session.value("SHOW data_directory"))
    guard try host.files.resolve(cluster) == (try? host.files.resolve(shown)) else {
      throw EngineError(
        .usage, "the server of \(shown) answers in place of that of the restored cluster",
        hint: "Run the drill without PGSERVICE and the other variables that name a server.")
    }
    return session
  }

  /// Opens a session as a role that may only read. No other server has that role.
  func connectToRead(_ database: String) throws -> PostgresConnection {
    let session = try connect("template1")
    let role = try reader ?? ReadingRole(version: programs.version, random: host.random)
    if reader == nil { for statement in role.statements { _ = try session.query(statement) } }
    reader = role
    _ = try session.query(role.admission(to: database))
    return try connect(database, as: role.name, options: "")
  }

  private func connect(_ database: String, as role: String, options: String) throws -> PostgresConnection {
    let words = [
      ("host", text(scratch.server)), ("hostaddr", ""), ("port", String(Self.port)), ("user", role),
      ("dbname", database), ("options", options),
    ]
    let info = words.map { "\($0)='\($1.escaping(["\\": "\\\\", "'": "\\'"]))'" }
    return try PostgresConnection(info.joined(separator: " "), cancellation: host.cancellation)
  }

  private func text(_ path: Path) -> String { String(decoding: path.bytes, as: UTF8.self) }

  /// Runs `pg_amcheck` on all databases.
  /// - Returns: `false` if it is not installed.
  /// - Throws: `DrillFailure` if it finds damage.
  func runAmcheck() throws -> Bool {
    guard let program = programs.amcheck else { return false }
    let words =
      ["env"] + Self.misleading.map { "-u \($0)" } + [
        "PGOPTIONS=" + ShellText.quoted(Self.sessionOptions), quoted(program), "--all", "--install-missing",
        "--host=" + quoted(scratch.server), "--port=\(Self.port)",
        "--username=" + ShellText.quoted(roles[0]),
      ]
    let name = "amcheck"
    let running = try start(words.joined(separator: " "), output: name)
    while running.poll() == nil {
      if host.cancellation.isRaised { running.end() }
      try host.cancellation.check()
      Pause.briefly()
    }
    let first = lines(of: name).first.map { Path($0).description } ?? "it says nothing"
    switch running.poll() {
    case .exited(0): return true
    // Its exit status for damage; another one means that it could not look.
    case .exited(2) where !ServerTrouble.isOfMachine(first):
      throw DrillFailure("the restored cluster does not pass pg_amcheck: \(first)")
    default:
      if let status = process?.poll() {
        throw ServerTrouble.error(status, lines(of: Self.logName), "while pg_amcheck looked at it")
      }
      throw EngineError(.machine, "pg_amcheck failed: \(first)", hint: "The log of the drill has what the server said.")
    }
  }
}
