package import HoldfastModel

/// A new repository as `init --json` shows it.
package struct RepositoryJSON: Encodable {
  let repository: String
  let location: String
  let sealed: Bool
  let keyring: String?

  /// - Parameter keyring: the digest of its keyring; `nil` when it is not sealed.
  package init(_ id: Identifier, location: String, keyring: Digest?) {
    repository = id.description
    self.location = location
    sealed = keyring != nil
    self.keyring = keyring?.description
  }
}
