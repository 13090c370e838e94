package import HoldfastModel

/// One value that is in effect, and who said it.
package struct Setting: Hashable, Sendable {
  package enum Origin: Hashable, Sendable, CustomStringConvertible {
    /// The name of the flag, with its dashes.
    case flag(String)
    case environment(String)
    case file(Place)
    /// Nobody: it is what counts then.
    case initial

    package var description: String {
      switch self {
      case .flag(let name): name
      case .environment(let name): name
      case .file(let place): place.description
      case .initial: "default"
      }
    }
  }

  /// The way of keys that leads to it.
  package let key: [String]
  package let texts: [String]
  package let origin: Origin
  package let isList: Bool
  package let isSecret: Bool
}

/// Everything that is configured.
package struct Settings: Hashable, Sendable {
  /// The files that were read.
  package let files: [Path]
  package let repositories: [RepositorySettings]
  package let sources: [SourceSettings]
  package let notifications: [NotificationSettings]
  /// Each value that is in effect.
  package let shown: [Setting]

  /// Whether commands of the site's may run, whatever they need.
  package var runsCommands: Bool {
    repositories.contains { $0.identityCommand != nil } || sources.contains(where: \.runsCommands)
      || notifications.contains { if case .command = $0.target { true } else { false } }
  }

  /// - Parameter name: or its path.
  package func repository(_ name: String) -> RepositorySettings? {
    repositories.first { $0.name == name } ?? repositories.first { $0.path == Path(name) }
  }
  package func source(_ name: String) -> SourceSettings? { sources.first { $0.name.text == name } }
}
