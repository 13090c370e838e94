internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Finds out why the server of a drill did not get a file of its log: `wal fetch` tells a server only that it failed.
struct LogTrial {
  private let repository: Repository
  private let plan: RecoveryPlan?
  private let cluster: Path

  init(_ repository: Repository, _ plan: RecoveryPlan?, cluster: Path) {
    (self.repository, self.plan, self.cluster) = (repository, plan, cluster)
  }

  /// Fetches the file once more, in this process.
  /// - Returns: the error that the server met, if it can be met again; else that of the server, which then says nothing
  ///   of the snapshot.
  func error(_ missing: LogNotFetched, _ scratch: Scratch) throws -> any Error {
    if let plan, let file = WALFileName(missing.file) {
      var options = WALFetch.Options(
        file: file, target: scratch.server.appending("fetched"), source: plan.snapshot.sourceName,
        clusterDirectory: cluster)
      options.system = plan.system
      do { try WALFetch(repository: repository, options: options).run() } catch { return error }
    }
    return EngineError(
      .transient, "the server of the restored cluster could not fetch its log: \(missing.line)",
      hint:
        "The log of the drill has what `holdfast wal fetch` said. Its user must reach this program and the repository.")
  }
}
