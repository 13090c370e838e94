internal import HoldfastArchive
package import HoldfastModel
package import HoldfastSystem

/// Commands of the site around a backup: for example to freeze and thaw a server, to take a file system snapshot, or to
/// notify somebody.
///
/// Each command gets the variables `HOLDFAST_HOOK` (before, after, on-failure) and `HOLDFAST_SOURCE` (the directory);
/// after the backup also `HOLDFAST_EXIT_STATUS` (how it would end) and, if a snapshot was committed,
/// `HOLDFAST_SNAPSHOT` (its ID). Their output goes to standard error.
package struct Hooks: Hashable, Sendable {
  package var before: String?
  package var after: String?
  package var onFailure: String?

  package init() {}

  /// Runs a backup between its hooks. If `before` fails, there is no backup. `after` always runs, even when a signal
  /// ended the backup.
  /// - Throws: the error of the backup; otherwise the failure of a hook, because something may still be frozen.
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
    // A signal that ended the backup must not keep the site from being thawed.
    let unhurried = Cancellation()
    // The site is thawed first, because notifying somebody may take time.
    do { try run(after, "after", environment, unhurried) } catch { failure = error }
    if case .failure = outcome {
      do { try run(onFailure, "on-failure", environment, unhurried) } catch { failure = failure ?? error }
    }
    guard let failure else { return try outcome.get() }
    if case .success(let report) = outcome {
      throw HookError(failure, snapshot: report.isDryRun ? nil : report.envelope.snapshot.short)
    }
    progress.warn(describe(failure).message)
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
    case .failure(let error): describe(error).exitStatus
    }
  }
}

/// The failure of a hook after a successful backup.
package struct HookError: OperatorError, Equatable {
  package let message: String
  package var hint: String? { "See whether everything runs again, then run the command by hand." }
  package var exitStatus: ExitStatus { .failed }
  package var scope: ErrorScope { .machine }

  /// - Parameter snapshot: the snapshot that was committed; `nil` for a dry run.
  init(_ error: any Error, snapshot: String?) {
    let reason = describe(error).message
    message =
      snapshot.map { "the snapshot \($0) is committed, but a hook failed: \(reason)" } ?? "a hook failed: \(reason)"
  }
}
