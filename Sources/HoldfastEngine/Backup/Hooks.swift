internal import HoldfastArchive
package import HoldfastModel
package import HoldfastSystem

/// Commands of the site's around a backup: to freeze and thaw something, to take a file system snapshot, to tell somebody.
///
/// Each sees `HOLDFAST_HOOK` (before, after, on-failure), `HOLDFAST_SOURCE` (the directory), and behind the backup `HOLDFAST_EXIT_STATUS` (how
/// it would end) and, where one was committed, `HOLDFAST_SNAPSHOT` (its ID). What they print goes to standard error.
package struct Hooks: Sendable {
  package var before: String?
  package var after: String?
  package var onFailure: String?

  package init() {}

  /// Runs a backup between its hooks. When `before` fails there is none; `after` runs whatever happened, also when a signal ended the backup.
  /// - Throws: what the backup throws; else the failure of a hook: something may still be frozen.
  package func surround(
    source: Path, progress: any ProgressObserver, cancellation: Cancellation, _ backup: () throws -> Backup.Report
  ) throws -> Backup.Report {
    let outcome: Result<Backup.Report, any Error>
    do {
      try run(before, "before", ["HOLDFAST_SOURCE": source.description], cancellation)
      outcome = .success(try backup())
    } catch {
      outcome = .failure(error)
    }
    var environment = ["HOLDFAST_SOURCE": source.description]
    environment["HOLDFAST_EXIT_STATUS"] = String(Self.exitStatus(outcome).rawValue)
    if case .success(let report) = outcome, !report.isDryRun {
      environment["HOLDFAST_SNAPSHOT"] = report.envelope.snapshot.description
    }
    var failure: (any Error)?
    // A signal has ended the backup; it must not keep the site from being thawed.
    let unhurried = Cancellation()
    // First of all the site is thawed: to tell somebody may take its time.
    do { try run(after, "after", environment, unhurried) } catch { failure = error }
    if case .failure = outcome {
      do { try run(onFailure, "on-failure", environment, unhurried) } catch { failure = failure ?? error }
    }
    guard let failure else { return try outcome.get() }
    if case .success(let report) = outcome {
      throw HookError(failure, snapshot: report.isDryRun ? nil : report.envelope.snapshot.short)
    }
    progress.warn((failure as? any OperatorError)?.message ?? "\(failure)")
    return try outcome.get()
  }

  private func run(
    _ command: String?, _ hook: String, _ environment: [String: String], _ cancellation: Cancellation
  ) throws {
    guard let command else { return }
    try ShellCommand(command, environment: environment.merging(["HOLDFAST_HOOK": hook]) { $1 }).run(cancellation)
  }

  private static func exitStatus(_ outcome: Result<Backup.Report, any Error>) -> ExitStatus {
    switch outcome {
    case .success(let report): report.exitStatus
    case .failure(let error): (error as? any OperatorError)?.exitStatus ?? .failed
    }
  }
}

/// A hook that failed behind a backup that did not.
package struct HookError: OperatorError, Equatable {
  package let message: String
  package var hint: String? { "See whether everything runs again, then run the command by hand." }
  package var exitStatus: ExitStatus { .failed }
  package var scope: ErrorScope { .machine }

  /// - Parameter snapshot: what was committed.
  init(_ error: any Error, snapshot: String?) {
    let reason = (error as? any OperatorError)?.message ?? "\(error)"
    message =
      snapshot.map { "the snapshot \($0) is committed, but a hook failed: \(reason)" } ?? "a hook failed: \(reason)"
  }
}
