package import HoldfastModel

/// A value in effect, and its origin.
package struct Setting: Hashable, Sendable {
  package enum Origin: Hashable, Sendable, CustomStringConvertible {
    /// The name of the flag, with its dashes.
    case flag(String)
    case environment(String)
    case file(FilePosition)
    /// The default.
    case initial

    package var description: String {
      switch self {
      case .flag(let name): name
      case .environment(let name): name
      case .file(let position): position.description
      case .initial: "default"
      }
    }
  }

  /// The key path of the value.
  package let key: [String]
  package let texts: [String]
  package let origin: Origin
  package let isList: Bool
  package let isSecret: Bool

  /// The values for people, without what may be a secret in an address.
  package var shownTexts: [String] { texts.map { AddressText.masked($0) } }
}

/// The whole configuration.
package struct Settings: Hashable, Sendable {
  /// The files that were read.
  package let files: [Path]
  package let repositories: [RepositorySettings]
  package let sources: [SourceSettings]
  package let notifications: [NotificationSettings]
  /// All values in effect.
  package let shown: [Setting]

  /// True if the configuration contains commands of the site. Their needs are unknown.
  package var runsCommands: Bool {
    repositories.contains { $0.identityCommand != nil } || sources.contains(where: \.runsCommands)
      || notifications.contains { if case .command = $0.target { true } else { false } }
  }

  /// - Parameter name: the name of a repository, or its path.
  package func repository(_ name: String) -> RepositorySettings? {
    repositories.first { $0.name == name } ?? repositories.first { $0.location == name }
  }
  package func source(_ name: String) -> SourceSettings? { sources.first { $0.name.text == name } }
}
