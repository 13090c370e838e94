internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSource
internal import HoldfastSystem

/// Logs in to the database server of a source, and looks whether it is the right one and permits a backup.
struct LoginTrial: Trial {
  let source: SourceSettings
  let opening: Opening? = nil
  let name = "login"
  let isOfUser = true
  var group: TrialGroup { TrialGroup(.database, of: source.name.text) }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    guard let directory = source.directory, let server = source.server(on: machine) else { return [] }
    let clusters = try PostgresCheck.clusters(
      in: directory, files: machine.host.files, cancellation: machine.host.cancellation)
    guard !clusters.isEmpty else { return [absence(directory)] }
    let check = try source.login(to: server, on: machine)
    return [login(check, clusters, directory, machine.host.files), try rights(check)]
  }

  private func login(
    _ check: PostgresCheck, _ clusters: [PostgresCluster], _ directory: Path, _ files: FileSystem
  ) -> TrialResult {
    do {
      try check.checkRuns(onOneOf: clusters, files: files)
      return result(.ok, "PostgreSQL \(Path(check.version)) on \(directory) lets \(Path(check.role)) in")
    } catch {
      return failure(error)
    }
  }

  private func absence(_ directory: Path) -> TrialResult {
    let text = "there is no PostgreSQL data directory in \(directory)"
    // Variables of the environment may be there for other programs.
    guard source.postgres != nil else { return result(.notTried, text) }
    return result(
      .failed, text,
      hint: "Name the data directory as the source, or take `postgres` out of its configuration.")
  }

  private func rights(_ check: PostgresCheck) throws -> TrialResult {
    let name = "rights"
    let role = Path(check.role)
    let missing = try check.missingRights()
    guard missing.isEmpty else {
      let functions = missing.joined(separator: ", ")
      return result(
        .failed, "\(role) may not call \(functions)",
        hint: "As a superuser: GRANT EXECUTE ON FUNCTION \(functions) TO \(role);",
        name: name)
    }
    guard try check.mayMakeSlot() else {
      return result(
        .warning, "\(role) may not make a replication slot: the server may remove log that a capture still needs",
        hint: "As a superuser: ALTER ROLE \(role) REPLICATION;", name: name)
    }
    return result(.ok, "\(role) may begin and end a backup, and make a replication slot", name: name)
  }
}
