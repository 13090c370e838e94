internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Decides how each PostgreSQL cluster of a source is captured. If the source itself is a cluster that cannot be
/// captured, the run is refused. A cluster below it is left out and reported, so that a user who may write somewhere in
/// a source cannot keep the rest of it from being captured.
struct ClusterChoice {
  private let found: DatabaseSurvey.Findings
  private let source: Path
  private let connection: String?
  private let isExpected: Bool
  /// The directories that are not captured, with the reason.
  private(set) var withheld: [Path: WithheldReason] = [:]
  /// The files that may be torn, with the reason.
  private(set) var torn: [Path: TornReason] = [:]
  private(set) var backup: PostgresBackup?

  /// - Parameters:
  ///   - source: the path of the source, for messages.
  ///   - connection: the connection string for a running server.
  ///   - isExpected: true if a server must run.
  init(_ found: DatabaseSurvey.Findings, source: Path, connection: String?, isExpected: Bool) {
    self.found = found
    self.source = source
    self.connection = connection
    self.isExpected = isExpected
  }

  /// All clusters. The one that `backup` captures is marked as live.
  var clusters: [PostgresCluster] {
    found.clusters.map { cluster in backup.map { $0.cluster.root == cluster.root ? $0.cluster : cluster } ?? cluster }
  }

  /// Begins the backup of the cluster whose server the connection reaches.
  mutating func begin(_ name: SourceName, root: OpenFile, host: Host, progress: any ProgressObserver) throws {
    try sortOutUnsound(root, host.files)
    let running = found.clusters.filter { $0.server != nil }
    var failure: PostgresFailure?
    if let connection {
      do {
        backup = try PostgresBackup(
          ofOneOf: candidates(running), info: connection, label: "holdfast \(name)",
          slot: "holdfast_\(host.random.identifier())", root: root, files: host.files, cancellation: host.cancellation)
      } catch let refusal as PostgresFailure where !isExpected && !running.contains(where: \.root.isEmpty) {
        // The environment may have the connection string for other programs, and any user may run a server.
        failure = refusal
      }
      backup?.warnings.forEach(progress.warn)
      backup?.notes.forEach(progress.note)
    }
    guard backup != nil || !isExpected else { throw nothingRuns }
    for crashed in found.clusters where crashed.isCrashed && crashed.root != backup?.cluster.root {
      progress.warn(
        "the PostgreSQL cluster \(path(of: crashed)) was not shut down: it is captured as it lies there, and recovers when it is started"
      )
      for tablespace in crashed.tablespacesOfRecovery(
        in: root, files: host.files, cancellation: host.cancellation)
      {
        progress.warn(
          "a server that is started on a copy of the PostgreSQL cluster \(path(of: crashed)) makes tablespace \(tablespace.oid) in \(tablespace.directory), as its log says, and writes over what is there: start the server once where the cluster lies, and capture it then"
        )
      }
    }
    for cluster in running where cluster.root != backup?.cluster.root { try withhold(cluster, failure) }
  }

  /// Returns the clusters on which the server of a connection may run. A server that this process cannot see, perhaps
  /// in a container, is found by what it says about itself.
  private func candidates(_ running: [PostgresCluster]) -> [PostgresCluster] {
    running + (isExpected ? found.clusters.filter { $0.server == nil && $0.mayHaveUnseenServer } : [])
  }

  private var nothingRuns: EngineError {
    let copy = found.clusters.lazy.compactMap { cluster -> String? in
      guard case .elsewhere(let process) = cluster.sighting else { return nil }
      return
        ": \(path(of: cluster)) is a copy, and the server of its postmaster.pid, process \(process), runs on another directory"
    }.first
    return EngineError(
      .usage, "no PostgreSQL server runs on a data directory in \(source)\(copy ?? "")",
      hint: "Name the data directory of the server, or leave out --postgres for one that is stopped.")
  }

  private mutating func withhold(_ cluster: PostgresCluster, _ failure: PostgresFailure?) throws {
    guard !cluster.root.isEmpty else {
      throw EngineError(
        .usage, "a PostgreSQL server runs on \(path(of: cluster)): a plain copy of it would be worth nothing",
        hint:
          "Say --postgres 'host=/var/run/postgresql user=postgres' to capture it while it runs, or stop it first, or leave it out with --exclude."
      )
    }
    withheld[cluster.root] = .serverRuns(process: cluster.server, refusal: failure)
  }

  /// Treats a directory that looks like a cluster but cannot be understood as plain files, unless a server uses it.
  private mutating func sortOutUnsound(_ root: OpenFile, _ files: FileSystem) throws {
    for (path, failure) in found.unsoundClusters {
      guard !path.isEmpty || failure.isPlanted else { throw failure }
      let status = path.isEmpty ? try? root.status() : try? files.status(of: path, in: root)
      let use = status.flatMap { found.servers?.use(of: $0) }
      if let use, use.isDataDirectory, !path.isEmpty {
        withheld[path] = .serverRunsOnUnsoundFiles(process: use.process)
      } else {
        torn[path.appending(ClusterControl.path.bytes)] = .unsoundCluster(finding: failure.message)
      }
    }
  }

  private func path(of cluster: PostgresCluster) -> Path {
    cluster.root.isEmpty ? source : source.appending(cluster.root.bytes)
  }
}
