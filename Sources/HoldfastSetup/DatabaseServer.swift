internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSource
internal import HoldfastSystem

/// The database server of the source, as the operator names it.
package struct DatabaseServer {
  /// Its connection string.
  let connection: String
  let site: SetupSite

  /// Logs in, so that no wrong string gets into the configuration.
  /// - Throws: the reason why a snapshot could not be taken through it, or why the string may not be written.
  func check() throws {
    guard !ConnectionText.holdsPassword(connection) else {
      throw EngineError(
        .usage, "the connection string of --postgres has a password in it",
        hint:
          "Put the password into ~/.pgpass of each user who runs holdfast, or into a file that passfile= in the string names, and say --postgres without it: whoever runs `holdfast wal push` must be able to read the configuration.",
        exitStatus: .usage)
    }
    guard !site.contents.clusters.isEmpty else {
      throw EngineError(
        .usage, "there is no PostgreSQL data directory in \(site.contents.path)",
        hint: "Name the data directory as the source, or leave out --postgres.", exitStatus: .usage)
    }
    // A server that does not run cannot be asked.
    guard site.contents.clusterInUse != nil else { return }
    let host = site.machine.host
    let clusters = try PostgresCheck.clusters(
      in: site.contents.path, files: host.files, cancellation: host.cancellation)
    try PostgresCheck(connection, cancellation: host.cancellation).checkRuns(onOneOf: clusters, files: host.files)
  }
}
