internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations

extension SourceSettings {
  /// The directory; `nil` for a source that is the output of a command.
  var directory: Path? {
    if case .directory(let path) = subject { path } else { nil }
  }

  /// The connection string for the database server of the source; `nil` if none is named.
  func server(on machine: MachineContext) -> String? { postgres ?? machine.environment.postgres }
}
