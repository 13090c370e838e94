package import HoldfastModel

/// A new key as `key generate --json` shows it.
package struct NewKeyJSON: Encodable {
  let file: String
  let publicKey: String

  package init(file: Path, publicKey: String) { (self.file, self.publicKey) = (file.description, publicKey) }
}

/// Says if anything was remembered of a repository, as `key forget --json` shows it.
package struct ForgottenJSON: Encodable {
  let location: String
  let forgotten: Bool

  package init(location: String, forgotten: Bool) { (self.location, self.forgotten) = (location, forgotten) }
}
