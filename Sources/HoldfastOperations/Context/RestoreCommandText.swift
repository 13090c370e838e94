internal import HoldfastArchive
internal import HoldfastConfiguration
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

extension RepositoryContext {
  /// Returns the command that the server of a restored cluster runs for its archived log: this program, with this
  /// repository.
  package func restoreCommand(for plan: RecoveryPlan, in repository: Repository) throws -> String {
    try restoreCommand(forLogOf: plan.snapshot.sourceName, plan.system, in: repository)
  }

  /// Returns the same command for the log of a cluster.
  package func restoreCommand(
    forLogOf source: SourceName, _ system: SystemIdentifier, in repository: Repository
  ) throws -> String {
    var words = [ShellText.quotedForServer(try text(machine.host.program())), "wal", "fetch", "%f", "%p"]
    words += ["--repository", ShellText.quotedForServer(try text(location))]
    if configured != nil, location.directory == nil, let file = try machine.loader().location.named {
      // The server does not have the variables of this shell.
      words += ["--config", ShellText.quotedForServer(try text(file))]
    }
    words += ["--name", source.text, "--system", system.description]
    if let keyring = repository.keyring.sealed?.revision.digest {
      words += ["--expect-keyring", keyring.description]
      words += try keys.identityOptions(ShellText.quotedForServer)
    }
    return words.joined(separator: " ")
  }

  /// Returns a location as text for a configuration file.
  private func text(_ location: StoreLocation) throws -> String {
    try location.directory.map { try text($0) } ?? location.description
  }

  /// Returns a path as text for a configuration file.
  private func text(_ path: Path) throws -> String {
    guard let text = String(validating: path.bytes, as: UTF8.self) else {
      throw EngineError(.usage, "\(path) cannot be written into a restore_command", hint: "Use a path of UTF-8.")
    }
    return text
  }
}
