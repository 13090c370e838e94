internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// One drill from its plan to its clean-up.
final class DrillCourse {
  private let repository: Repository
  private let snapshot: Snapshot
  private let options: Drill.Options
  private let progress: any ProgressObserver
  private let place: ScratchPlace
  private var report: Drill.Report
  private var phase = Drill.Phase.plan
  private var scratch: Scratch?
  private var server: DrillServer?
  private var recovery: RecoverySettings?
  private let limits: DrillLimits
  private let restoreProgress: RestoreProgress
  private var found: RestoredDatabases?
  private var sqlite: [(path: Path, connection: SQLiteConnection)] = []
  /// The databases of the restored cluster.
  private var clusterDatabases: [String] = []
  private var host: Host { repository.host }

  init(
    _ repository: Repository, _ snapshot: Snapshot, _ options: Drill.Options, _ progress: any ProgressObserver
  ) throws {
    limits = DrillLimits(repository.host, timeout: options.timeout)
    self.repository = repository.cancelled(by: limits.cancellation)
    (self.snapshot, self.options, self.progress) = (snapshot, options, progress)
    restoreProgress = RestoreProgress(progress)
    place = try ScratchPlace(in: options.directory, of: snapshot.sourceName, files: repository.host.files)
    report = Drill.Report(snapshot, data: place.data, isOlder: options.isOlder, isDryRun: options.isDryRun)
    report.phases = [
      Drill.PhaseResult(phase: .repository, duration: options.openingTime, text: repository.location)
    ]
  }

  func run() throws -> Drill.Report {
    var notMade: (any OperatorError)?
    defer { limits.stop() }
    do {
      try limits.begin()
      try perform(.plan, plan)
      if options.isDryRun { return report }
      try restore()
      try perform(.recovery, recover)
      try perform(.database, open)
      try perform(.checks, check)
      try perform(.assertions, ask)
    } catch {
      let error = reason(for: describe(error))
      // Other errors tell of this machine or of a server, and nothing of the snapshot.
      if error is DrillFailure || error.isDamage {
        report.failure = Drill.Failure(phase: phase, error: error)
      } else {
        notMade = error
      }
    }
    limits.stop()
    let said = server?.logTail(DrillLog.serverLinesMax) ?? []
    do {
      try perform(.cleanup, cleanUp)
    } catch {
      progress.warn("the restored data could not be removed: \(describe(error).message)")
    }
    keepLog(notMade, said)
    if let notMade { throw notMade }
    return report
  }

  /// Returns the limit that was passed, if that is why the work was stopped; else the error itself.
  private func reason(for error: any OperatorError) -> any OperatorError {
    guard error is Interrupted, let breach = limits.breach else { return error }
    return breach.error(in: phase, after: report.restoreTime, restoreWithin: options.restoreWithin)
  }

  /// Does the work of a phase, and keeps its duration and what it says; nothing if it has nothing to do.
  private func perform(_ phase: Drill.Phase, _ work: () throws -> String?) throws {
    self.phase = phase
    let begun = host.clock.uptime()
    do {
      guard let text = try work() else { return }
      report.phases.append(Drill.PhaseResult(phase: phase, duration: host.clock.uptime() - begun, text: text))
    } catch {
      report.phases.append(Drill.PhaseResult(phase: phase, duration: host.clock.uptime() - begun))
      throw error
    }
  }

  private func keepLog(_ notMade: (any OperatorError)?, _ said: [String]) {
    guard let scratch else { return }
    let log = DrillLog(
      report, notMade: notMade, at: host.clock.now(), warnings: restoreProgress.warnings, server: said)
    do {
      try scratch.write(log: log.text)
      report.log = place.log
    } catch {
      progress.warn("the log of the drill could not be written: \(describe(error).message)")
    }
  }

  // MARK: Plan

  private func plan() throws -> String? {
    try place.check(options.forbidden)
    let bytes = snapshot.envelope.state.bytes
    let reserve = DrillLimits.freeBytes(leftBeside: bytes, hasServer: snapshot.envelope.postgres != nil)
    try place.checkRoom(for: bytes, max: options.bytesMax, reserve: reserve)
    if !options.isDryRun {
      let scratch = try Scratch(at: place, files: host.files)
      self.scratch = scratch
      limits.watchRoom(of: try scratch.open(), at: place.path, leaving: reserve)
    }
    recovery = try planRecovery()
    report.recovery = recovery?.plan
    let state = snapshot.envelope.state
    let log = recovery?.plan.map { ", and \(Amount.count($0.count, "archived segment")) of its log" } ?? ""
    return "\(Amount.bytes(state.bytes)) in \(Amount.count(state.files, "file"))\(log)"
  }

  /// Finds the way to the end of the archived log; `nil` if the snapshot needs no recovery, or no log is archived.
  private func planRecovery() throws -> RecoverySettings? {
    guard let cluster = snapshot.envelope.postgres, let system = SystemIdentifier(cluster.system),
      try !repository.store.children(of: Keys.wal(snapshot.sourceName, system)).isEmpty
    else { return nil }
    let plan: RecoveryPlan
    do {
      plan = try RecoveryPlanner(repository, target: .end, timeline: nil).plan(
        from: snapshot, of: snapshot.sourceName
      ) { progress.warn($0.message) }
    } catch let error as EngineError where error.scope == .usage {
      throw DrillFailure(error.message, hint: error.hint)
    }
    if let tablespace = plan.tablespaces.first {
      throw EngineError(
        .usage,
        "the archived log makes tablespace \(tablespace.oid) in \(tablespace.directory), where the live one may be: a drill must not replay it",
        hint: "Take a new snapshot, and drill that.")
    }
    return RecoverySettings(plan, restoreCommand: try options.restoreCommand(plan))
  }

  // MARK: Restore

  private func restore() throws {
    let clock = host.clock
    let begun = clock.uptime()
    var planned: TimeSpan?
    try perform(.restore) {
      var wanted = Restore.Options(target: place.data)
      wanted.setsOwner = options.isRoot
      wanted.recovery = recovery
      let restored = try Restore(
        repository: repository, snapshot: snapshot, options: wanted, progress: restoreProgress
      ) { impact in
        planned = clock.uptime()
        try impact.check()
      }.run()
      report.restore = restored
      return "\(Amount.bytes(restored.bytes)) in \(Amount.count(restored.entries, "entry", "entries"))"
    }
    // The restore makes its own plan first.
    guard let planned else { return }
    report.move(planned - begun, from: .restore, to: .plan)
  }

  // MARK: Databases

  private func recover() throws -> String? {
    // From here on a database may make the restored data larger.
    limits.watchSize(max: options.bytesMax)
    let found = try RestoredDatabases(
      in: place.data, named: options.database.map { Path($0) }, files: host.files, cancellation: host.cancellation)
    self.found = found
    report.unchecked += found.unreadable.map {
      "\($0) looks like an encrypted database, or a damaged one, and was not opened"
    }
    if snapshot.envelope.postgres != nil, found.clusters.isEmpty {
      throw DrillFailure("the restored tree has no PostgreSQL cluster any more, and its snapshot is one of a cluster")
    }
    guard let directory = found.clusters.first, let scratch else { return nil }
    guard found.clusters.count == 1 else {
      throw EngineError(
        .usage, "the source holds \(found.clusters.count) PostgreSQL clusters, and a drill opens one",
        hint: "Make each of them a source of its own.")
    }
    let cluster = directory.isEmpty ? place.data : place.data.appending(directory.bytes)
    try ClusterConfinement(cluster: cluster, files: host.files).check()
    // Without an archived log it recovers to the end of the snapshot, and waits for no other server. The lock file of a
    // server that crashed may name a process that is another one by now.
    var unwanted = ["postmaster.pid"]
    if recovery == nil { unwanted += ["standby.signal"] + (try isOfStandby(cluster) ? [] : ["recovery.signal"]) }
    for file in unwanted.map({ cluster.appending($0) }) where try host.files.statusIfPresent(of: file) != nil {
      try host.files.removeFile(file)
    }
    let minima = recovery?.plan?.minima ?? [:]
    let server = try DrillServer(
      on: cluster, in: scratch, minima: minima, programs: options.programs, isRoot: options.isRoot, host: host)
    self.server = server
    do {
      try server.start()
    } catch let missing as LogNotFetched {
      throw try LogTrial(repository, recovery?.plan, cluster: cluster).error(missing, scratch)
    }
    return recovery?.plan.map { "to the end of the log, \($0.last)" } ?? "to the end of the snapshot"
  }

  /// True if the snapshot was taken on a running standby: then it recovers by itself, and ends with its own log.
  private func isOfStandby(_ cluster: Path) throws -> Bool {
    let label = cluster.appending(BackupLabel.name)
    guard try host.files.statusIfPresent(of: label) != nil else { return false }
    return BackupLabel(try host.files.open(label, .read).contents(max: BackupLabel.byteCountMax)).isOfStandby
  }

  private func open() throws -> String? {
    for path in found?.sqlite ?? [] {
      try RestoredDatabases.checkJournal(of: path, in: place.data, files: host.files)
      let connection = try SQLiteConnection(place.data.appending(path.bytes), name: path, host.cancellation)
      _ = try connection.rows("SELECT count(*) FROM sqlite_master")
      sqlite.append((path, connection))
      report.databases.append(path)
    }
    if let server {
      clusterDatabases = try ClusterChecks(server: server).open()
      report.databases += clusterDatabases.map { Path($0) }
    }
    guard !report.databases.isEmpty else { return "no database was found" }
    let names = report.databases.prefix(3).map(\.description).joined(separator: ", ")
    return names + (report.databases.count > 3 ? " and \(report.databases.count - 3) more" : "")
  }

  private func check() throws -> String? {
    var done: [String] = []
    for (path, connection) in sqlite { try SQLiteChecks(name: path, connection: connection).run() }
    if !sqlite.isEmpty { done.append("integrity_check, foreign_key_check") }
    if let server {
      if try server.runAmcheck() {
        done.append("pg_amcheck")
      } else {
        report.unchecked.append("pg_amcheck is not installed, and the databases of the cluster were only opened")
      }
    }
    done += report.unchecked
    return done.isEmpty ? nil : done.joined(separator: "; ")
  }

  // MARK: Assertions

  private func ask() throws -> String? {
    guard !options.assertions.isEmpty else { return nil }
    for (_, connection) in sqlite { try connection.makeReadOnly() }
    let answer = try asked()
    let replayed = try recovery == nil ? nil : server.flatMap { try ClusterChecks(server: $0).replayedUntil() }
    for (index, assertion) in options.assertions.enumerated() {
      let rows: [[String?]]
      let intro = "assertion \(index + 1) cannot be asked: "
      do {
        rows = try limits.ask(index + 1, within: assertion.timeout) { try answer(assertion.sql) }
      } catch let error as DrillFailure {
        throw DrillFailure(intro + error.message, hint: error.hint)
      } catch let error as EngineError {
        throw EngineError(error.scope, intro + error.message, hint: error.hint, exitStatus: error.exitStatus)
      }
      let check = AnswerCheck(
        assertion: assertion, stateTime: replayed ?? snapshot.envelope.started, hasReplayed: replayed != nil)
      if let objection = check.objection(to: rows) {
        throw DrillFailure("assertion \(index + 1) does not hold: \(objection): \(Path(assertion.sql))")
      }
      report.assertionsHeld += 1
    }
    let count = report.assertionsHeld
    return "\(Amount.count(UInt64(count), "assertion")) \(count == 1 ? "holds" : "hold")"
  }

  /// Returns what asks the database of the assertions.
  private func asked() throws -> (String) throws -> [[String?]] {
    if let database = options.database, let wanted = sqlite.first(where: { $0.path == Path(database) }) {
      return { try wanted.connection.rows($0, max: 1) }
    }
    if let server {
      let name = options.database ?? ClusterChecks.usual(among: clusterDatabases)
      guard clusterDatabases.contains(name) else { throw missing(name) }
      let checks = ClusterChecks(server: server)
      return { try checks.answer($0, in: name) }
    }
    if let database = options.database { throw missing(database) }
    guard let only = sqlite.first else { throw DrillFailure("the snapshot holds no database to ask") }
    guard sqlite.count == 1 else {
      throw EngineError(
        .usage, "the source holds \(sqlite.count) databases, and nothing says which one the assertions ask",
        hint:
          "Say `database:` with its path in drill, or --database: \(sqlite.map(\.path.description).joined(separator: ", "))."
      )
    }
    return { try only.connection.rows($0, max: 1) }
  }

  private func missing(_ name: String) -> DrillFailure {
    DrillFailure(
      "the snapshot holds no database \(Path(name))", hint: "Correct `database:` in drill, or find out when it went.")
  }

  // MARK: Clean-up

  private func cleanUp() throws -> String? {
    sqlite = []
    server?.stop()
    server = nil
    guard let scratch else { return nil }
    if options.keepsData {
      report.isKept = true
      return "kept in \(place.data)"
    }
    try scratch.remove()
    return "the restored data is removed"
  }
}

extension Drill.Report {
  /// Counts a part of one phase to another one.
  fileprivate mutating func move(_ span: TimeSpan, from: Drill.Phase, to: Drill.Phase) {
    phases = phases.map { result in
      guard result.phase == from || result.phase == to else { return result }
      let duration = result.phase == to ? result.duration + span : result.duration - span
      return Drill.PhaseResult(phase: result.phase, duration: max(.zero, duration), text: result.text)
    }
  }
}
