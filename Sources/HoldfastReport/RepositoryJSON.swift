package import HoldfastModel

/// A new repository as `init --json` shows it.
package struct RepositoryJSON: Encodable {
  let repository: String
  let location: String
  let sealed: Bool
  let keyringDigest: String?
  /// The other targets; absent when there is only one.
  let targets: [Target]?

  struct Target: Encodable {
    let target: String
    let location: String
    /// True if the repository was made there by this command.
    let made: Bool
  }

  /// - Parameter keyring: the digest of its keyring; `nil` when it is not sealed.
  package init(
    _ id: Identifier, location: String, keyring: Digest?,
    targets: [(name: String, location: String, isNew: Bool)]? = nil
  ) {
    self.targets = targets?.map { Target(target: $0.name, location: $0.location, made: $0.isNew) }
    repository = id.description
    self.location = location
    sealed = keyring != nil
    keyringDigest = keyring?.description
  }
}
