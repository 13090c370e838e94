internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastStore
internal import HoldfastSystem

/// Tries whether a source is there, and whether this user can read it.
struct SourceTrial: Trial {
  let source: SourceSettings
  let settings: Settings

  let opening: Opening? = nil
  var group: TrialGroup { TrialGroup(.source, of: source.name.text) }
  let name = "directory"

  func run(on machine: MachineContext) throws -> [TrialResult] {
    guard let directory = source.directory else {
      return [result(.notTried, "only a backup runs its command", name: "command")]
    }
    let context = try RepositoryContext(of: source, in: settings, RepositoryRequest(), on: machine)
    let server = source.server(on: machine)
    let check = try SourceCheck.run(
      Backup.Options(source, serverInEnvironment: machine.environment.postgres),
      repositoryDirectory: context.location.directory, host: machine.host)
    try RepositoryTargets(context).checkAreApart(from: directory)
    return [readability(check)] + exclusions(check) + (server == nil ? servers(check) : [])
  }

  private func readability(_ check: SourceCheck) -> TrialResult {
    let scope = check.isWhole ? "" : "the first "
    let entries = Amount.count(check.entries, "entry", "entries")
    guard check.unreadable > 0 else {
      return result(
        .ok, "\(check.path): \(scope)\(entries) can be read; \(Amount.count(check.files, "file")) opened")
    }
    let first = check.firstUnreadable.map { "\($0.path): \($0.reason)" }.joined(separator: "; ")
    let more = check.unreadable > UInt64(check.firstUnreadable.count) ? "; …" : ""
    return result(
      check.files == 0 ? .failed : .warning,
      "\(check.path): of \(scope)\(entries), \(check.unreadable) cannot be read: \(first)\(more)",
      hint: "Back it up as a user who may read them, or name them below `exclude`.")
  }

  private func exclusions(_ check: SourceCheck) -> [TrialResult] {
    let name = "exclusions"
    guard !source.exclusions.isEmpty else { return [] }
    guard let idle = check.idleExclusions else {
      return [result(.notTried, "the source is too large to look at all of it", name: name)]
    }
    guard idle.isEmpty else {
      return [
        result(
          .warning, "nothing matches \(idle.map { "\(Path($0))" }.joined(separator: ", "))",
          hint: "Correct the pattern, or take it out of the configuration.", name: name)
      ]
    }
    return [result(.ok, "each of them matches something", name: name)]
  }

  private func servers(_ check: SourceCheck) -> [TrialResult] {
    check.runningClusters.map { cluster in
      result(
        .failed,
        "a PostgreSQL server runs on \(cluster), and `postgres` is not configured: a plain copy is worth nothing",
        hint:
          "Add `postgres: 'host=/var/run/postgresql user=postgres'` to the source, or leave it out below `exclude`.",
        name: "database")
    }
  }
}
