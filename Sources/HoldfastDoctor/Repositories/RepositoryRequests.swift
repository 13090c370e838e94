internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations

extension RepositorySettings {
  /// Returns the context of the repository with all keys that this machine has, which are read when they are needed.
  /// - Parameter way: the only way by which sealed objects are opened; `nil` for the first that is named.
  func context(on machine: MachineContext, opening way: OpeningWay? = nil) throws -> RepositoryContext {
    var keys = KeyRequest()
    (keys.opens, keys.signs, keys.way) = (true, true, way)
    return try RepositoryContext(self, RepositoryRequest(keys: keys), on: machine)
  }

  /// The word for a target in the names of lines.
  func lineName(of target: TargetSettings) -> String { others.isEmpty ? "storage" : "target \(target.name)" }
}
