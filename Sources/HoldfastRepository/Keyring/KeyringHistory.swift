package import HoldfastArchive
internal import HoldfastModel
package import HoldfastStore
internal import HoldfastSystem

/// All revisions of a repository's keyring, each verified to follow the one before.
package struct KeyringHistory {
  /// In ascending order; empty when the repository is not sealed.
  package let revisions: [KeyringRevision]

  /// - Parameter names: the names of the revisions, in ascending order.
  /// - Throws: `DamageError` when a revision is missing, or its signer was not allowed to make it.
  package init(of descriptor: Descriptor, names: [String], in store: any Store) throws {
    guard let first = descriptor.keyring else {
      guard names.isEmpty else { throw DamageError(Keys.descriptor, "it says unsealed, and there is a keyring") }
      revisions = []
      return
    }
    guard !names.isEmpty, names.count <= Limits.revisionsMax else {
      throw DamageError(Keys.keyring(1), names.isEmpty ? "it is missing" : "there are too many revisions")
    }
    store.prefetch(names.map { (Keys.keyring + $0, nil) })
    var revisions: [KeyringRevision] = []
    for (index, name) in names.enumerated() {
      let key = Keys.keyring(UInt64(index) + 1)
      guard Keys.keyring + name == key else { throw DamageError(key, "it is missing, and \(name) is there") }
      revisions.append(
        try store.object(key).firstSound {
          try KeyringRevision(
            parsing: $0.contents(max: Limits.envelopeBytesMax), after: revisions.last,
            repository: descriptor.repository, name: key)
        })
    }
    guard revisions.first?.digest == first else {
      throw DamageError(Keys.keyring(1), "it is not the one that the descriptor records")
    }
    self.revisions = revisions
  }
}
