internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// Lets a database server end a segment of its log, and waits until that is in the repository.
struct LogTrial: Trial {
  private static let lookInterval = TimeSpan.milliseconds(200)
  private static let farLookInterval = TimeSpan.seconds(2)
  /// The server tries again after a failure. One alone may pass.
  private static let failuresMax = 2

  let source: SourceSettings
  let opening: Opening?
  let writes: Bool
  /// The longest wait for the segment.
  let patience: TimeSpan
  let name = "round trip"
  let isOfUser = true
  var group: TrialGroup { TrialGroup(.log, of: source.name.text) }
  var limit: TimeSpan { patience + .seconds(30) }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    guard let opening, let server = source.server(on: machine) else { return [] }
    let check = try source.login(to: server, on: machine)
    let before = try check.archiver()
    guard before.mode != "off" else {
      return [
        result(
          .notTried, "archive_mode is off: a restore goes back to snapshots, and to no moment between them",
          hint: "Let archive_command call `holdfast wal push %p --name \(source.name)` if it should.")
      ]
    }
    guard writes else { return [result(.notTried, "it would end a segment of the log (--no-write)")] }
    guard try check.maySwitchSegments() else {
      let role = Path(check.role)
      return [
        result(
          .notTried, "\(role) may not end a segment of the log",
          hint: "As a superuser: GRANT EXECUTE ON FUNCTION pg_switch_wal() TO \(role);")
      ]
    }
    return [try roundTrip(check, before, opening.use(), machine)]
  }

  private func roundTrip(
    _ check: PostgresCheck, _ before: PostgresCheck.Archiver, _ repository: Repository, _ machine: MachineContext
  ) throws -> TrialResult {
    let begun = machine.host.clock.uptime()
    let segment = try check.endSegment()
    let archive = try WALArchive(repository, of: repository.names.source(source.name))
    let interval = repository.store.capabilities.isNear ? Self.lookInterval : Self.farLookInterval
    while true {
      repository.store.refresh()
      let time = machine.host.clock.uptime() - begun
      if try archive.find(segment, of: check.system) != nil {
        return result(.ok, "\(segment) was in the repository after \(Amount.duration(time))")
      }
      let now = try check.archiver()
      if now.failures - before.failures >= Self.failuresMax {
        return result(
          .failed, "the server's archive_command fails for \(now.lastFailure.map { "\(Path($0))" } ?? segment.text)",
          hint:
            "The log of the server says why. See what `SHOW archive_command` shows, and run it as the server's user.")
      }
      guard time < patience else {
        return result(
          .failed, "\(segment) was not in the repository after \(Amount.duration(patience))",
          hint:
            "See whether `SHOW archive_command` calls `holdfast wal push %p --name \(source.name)` for this repository."
        )
      }
      try machine.host.cancellation.check()
      Pause.time(interval)
    }
  }
}
