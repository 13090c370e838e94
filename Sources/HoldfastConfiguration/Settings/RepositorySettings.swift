package import HoldfastModel

/// The configuration of a repository.
package struct RepositorySettings: Hashable, Sendable {
  package let name: String
  /// The location as it was written: an absolute path, or one that begins with the name of a scheme.
  package internal(set) var path: Path
  /// Files of identities that open it.
  package internal(set) var identities: [Path] = []
  package internal(set) var identityCommand: String?
  package internal(set) var passphraseFile: Path?
  package internal(set) var writerKey: Path?
  /// The digest that a revision of its keyring must have.
  package internal(set) var expectedKeyring: String?
  /// The command that connects to its SFTP server, in place of `ssh`.
  package internal(set) var sshCommand: String?

  init(name: String, path: Path) { (self.name, self.path) = (name, path) }
}
