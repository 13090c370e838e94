internal import HoldfastCodec
package import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
internal import HoldfastSystem

extension Backup.Options {
  /// Makes the options of a backup from the settings of its source, which come from a file or from the command line. No
  /// other code makes them.
  /// - Parameters:
  ///   - serverInEnvironment: an empty connection string if libpq's variables name a PostgreSQL server, for a source
  ///     without a connection string; otherwise `nil`.
  ///   - kind: the requested kind; `nil` for an incremental if there is a sound parent, otherwise a full.
  ///   - isDryRun: true if nothing is stored.
  ///   - waitsForLock: true if the backup waits for another run on the same source.
  package init(
    _ settings: SourceSettings, serverInEnvironment: String?, kind: SnapshotKind? = nil,
    isDryRun: Bool = false, waitsForLock: Bool = false
  ) {
    switch settings.subject {
    case .directory(let path): self.init(source: path)
    case .command(let text, let fileName):
      self.init(source: Path(fileName))
      command = ShellCommand(text)
    }
    name = settings.isNameChosen ? settings.name : nil
    exclusions = settings.exclusions
    compression = Compression(settings.compression) ?? .standard
    parity = settings.parity ?? .none
    tags = settings.tags
    isParanoid = settings.isParanoid
    groupsDatabases = settings.groupsDatabases
    postgres = settings.postgres ?? serverInEnvironment
    expectsPostgres = settings.postgres != nil
    self.kind = kind
    self.isDryRun = isDryRun
    self.waitsForLock = waitsForLock
  }
}

extension Hooks {
  /// The commands around the backup of a source.
  package init(_ settings: SourceSettings) {
    self.init()
    (before, after, onFailure) = (settings.before, settings.after, settings.onFailure)
  }
}
