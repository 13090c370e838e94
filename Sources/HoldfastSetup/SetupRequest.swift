package import HoldfastCodec
package import HoldfastModel

/// The wishes of an operator for a setup. All questions are answered.
package struct SetupRequest: Sendable {
  /// The persons who can open the repository.
  package enum Protection: Sendable {
    /// Whoever has this identity file. It is made if it does not exist and the repository is new.
    case keyFile(Path)
    /// Whoever knows the passphrase.
    case passphrase(SecretBytes)
    /// Everybody who can read the repository.
    case unsealed
  }

  package var protection: Protection
  /// The name of the source; `nil` for the name that it has in the configuration, otherwise that of its directory.
  package var name: SourceName?
  /// In the form of `--compression`; `nil` for the usual one.
  package var compression: String?
  /// The connection string of the server whose cluster is in the source.
  package var postgres: String?
  /// The time between two snapshots, if the schedule says one.
  package var interval: TimeSpan?
  /// The directory of drills; `nil` for the usual one.
  package var drillDirectory: Path?
  /// The writer key file of this machine; `nil` for the usual one.
  package var writerKey: String?
  /// The file that gets the sheet.
  package var sheet: Path?

  package init(_ protection: Protection) { self.protection = protection }
}
