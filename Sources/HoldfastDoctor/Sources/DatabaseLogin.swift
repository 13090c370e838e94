internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSource
internal import HoldfastSystem

extension SourceSettings {
  /// Logs in to the database server of the source.
  /// - Parameter server: the connection string.
  /// - Throws: `PostgresFailure` without what may be a part of a password.
  func login(to server: String, on machine: MachineContext) throws -> PostgresCheck {
    do {
      return try PostgresCheck(server, cancellation: machine.host.cancellation)
    } catch let failure as PostgresFailure where server.contains("password") || server.contains("://") {
      // What libpq says may quote a part of the string.
      throw PostgresFailure(
        failure.message, hint: "See what `psql` says with the connection string of the source \(name).")
    }
  }
}
