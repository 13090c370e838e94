package import HoldfastConfiguration
internal import HoldfastEngine
package import HoldfastModel

extension RepositoryContext {
  /// Returns the target with this name.
  /// - Throws: `EngineError` with exit status 2 when there is none.
  package func target(named name: String) throws -> TargetSettings {
    let targets = configured?.targets ?? []
    guard let found = targets.first(where: { $0.name == name }) else {
      throw Self.noTarget(name, among: targets.map(\.name))
    }
    return found
  }

  /// The error of a command about targets, for a repository that was named by its path.
  package static var notConfigured: EngineError {
    EngineError(
      .usage, "the repository is not configured, so nothing is known of its targets",
      hint: "Name them in the configuration, and the repository by its name there.", exitStatus: .usage)
  }

  static func noTarget(_ name: String, among names: [String]) -> EngineError {
    EngineError(
      .usage, "there is no target \(Path(name))",
      hint: names.isEmpty
        ? "Name the targets of the repository in the configuration, and the repository by its name there."
        : "There can be \(names.joined(separator: ", ")).",
      exitStatus: .usage)
  }
}
