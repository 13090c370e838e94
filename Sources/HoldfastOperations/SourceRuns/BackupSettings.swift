internal import HoldfastCodec
package import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
internal import HoldfastSystem

extension Backup.Options {
  /// The options of a backup, from the settings of its source: the one place where those become these, whether a file or
  /// the command line has said them.
  /// - Parameters:
  ///   - repositoryDirectory: where the repository lies, if on this machine.
  ///   - serverInEnvironment: how libpq's own variables reach a PostgreSQL server (an empty connection string), for a
  ///     source that has no connection string; `nil` where they are not set.
  ///   - kind: what is asked for; `nil`: an incremental where a sound parent exists, else a full.
  ///   - isDryRun: whether everything is done but storing.
  ///   - waitsForLock: whether to wait for another run on the same source.
  package init(
    _ settings: SourceSettings, repositoryDirectory: Path?, serverInEnvironment: String?, kind: SnapshotKind? = nil,
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
    tags = settings.tags
    isParanoid = settings.isParanoid
    groupsDatabases = settings.groupsDatabases
    postgres = settings.postgres ?? serverInEnvironment
    expectsPostgres = settings.postgres != nil
    self.repositoryDirectory = repositoryDirectory
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
