package import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem

/// One revision of the keyring (format.md, section 9): the recipients that a repository is sealed to, and the writers
/// whose snapshots count.
package struct Keyring: Hashable, Sendable, Codable {
  package struct Member: Hashable, Sendable, Codable {
    package var id: Identifier
    package var name: String
    package var opening: PublicKey
    package var authority: PublicKey
    /// The identity itself, if the keyring contains it sealed under a passphrase.
    package var passphrase: PassphraseSeal?

    package init(_ recipient: Recipient, name: String, passphrase: PassphraseSeal? = nil) {
      id = recipient.id
      self.name = name
      opening = recipient.opening
      authority = recipient.authority
      self.passphrase = passphrase
    }

    package var recipient: Recipient { Recipient(opening: opening, authority: authority) }

    /// An optional field is written as `null` and never left out.
    package func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(id, forKey: .id)
      try container.encode(name, forKey: .name)
      try container.encode(opening, forKey: .opening)
      try container.encode(authority, forKey: .authority)
      try container.encode(passphrase, forKey: .passphrase)
    }
  }

  package struct Writer: Hashable, Sendable, Codable {
    package struct Revocation: Hashable, Sendable, Codable {
      /// The digests of the manifests that still count after the revocation.
      package var accepted: Set<Digest>
      /// The digests of the revisions of notes, and of the list of targets, that still count after the revocation.
      package var notes: Set<Digest>

      package init(accepted: Set<Digest>, notes: Set<Digest> = []) {
        self.accepted = accepted
        self.notes = notes
      }

      private enum CodingKeys: String, CodingKey { case accepted, notes }

      package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        accepted = Set(try container.decode([Digest].self, forKey: .accepted))
        notes = Set(try container.decodeIfPresent([Digest].self, forKey: .notes) ?? [])
      }

      package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(Self.inOrder(accepted), forKey: .accepted)
        if !notes.isEmpty { try container.encode(Self.inOrder(notes), forKey: .notes) }
      }

      private static func inOrder(_ digests: Set<Digest>) -> [Digest] {
        digests.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
      }
    }

    package var name: String
    package var key: PublicKey
    /// True if removals that the writer notes count. Without this right it can add snapshots, but remove none.
    package var mayPrune: Bool
    package var revoked: Revocation?

    package init(name: String, key: PublicKey, mayPrune: Bool = false) {
      self.name = name
      self.key = key
      self.mayPrune = mayPrune
    }

    private enum CodingKeys: String, CodingKey { case name, key, mayPrune, revoked }

    /// Gives the right to prune to every writer of a keyring from before that right existed.
    package init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      name = try container.decode(String.self, forKey: .name)
      key = try container.decode(PublicKey.self, forKey: .key)
      mayPrune = try container.decodeIfPresent(Bool.self, forKey: .mayPrune) ?? true
      revoked = try container.decode(Revocation?.self, forKey: .revoked)
    }

    package func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(name, forKey: .name)
      try container.encode(key, forKey: .key)
      try container.encode(mayPrune, forKey: .mayPrune)
      try container.encode(revoked, forKey: .revoked)
    }
  }

  package var format = Envelope.formatVersion
  package var features = [Feature.sealed]
  package var repository: Identifier
  package var revision: UInt64
  /// The digest of the previous revision; `nil` in the first.
  package var previous: Digest?
  package var time: RecordedTime
  package var recipients: [Member]
  package var writers: [Writer]
  package var signature: Signature?

  package init(repository: Identifier, time: RecordedTime, recipients: [Member], writers: [Writer]) {
    self.repository = repository
    self.revision = 1
    self.time = time
    self.recipients = recipients
    self.writers = writers
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(format, forKey: .format)
    try container.encode(features, forKey: .features)
    try container.encode(repository, forKey: .repository)
    try container.encode(revision, forKey: .revision)
    try container.encode(previous, forKey: .previous)
    try container.encode(time, forKey: .time)
    try container.encode(recipients, forKey: .recipients)
    try container.encode(writers, forKey: .writers)
    try container.encode(signature, forKey: .signature)
  }

  /// The signed bytes of the keyring's object.
  package func serialized(signedBy key: SigningKey) throws -> [UInt8] {
    try ManifestJSON.encode(signed(by: key))
  }

  /// True if the signer has the right to prune: its removals count, and a full that it merged replaces the snapshot
  /// that it stands for.
  package func mayPrune(_ signer: PublicKey) -> Bool { writers.contains { $0.key == signer && $0.mayPrune } }

  /// True if a removal that this writer has signed counts, even if another writer made the revision that contains it.
  func mayHaveRemoved(_ signer: PublicKey) -> Bool {
    mayPrune(signer) && writers.contains { $0.key == signer && $0.revoked == nil }
  }

  /// Returns the reason why a snapshot or a revision of notes with this signer and digest does not count; `nil` when it
  /// counts.
  package func refusal(of signer: PublicKey, digest: Digest) -> String? {
    guard let writer = writers.first(where: { $0.key == signer }) else {
      return "it is signed by a writer that the keyring does not have (\(signer.short))"
    }
    if let revoked = writer.revoked, !revoked.accepted.contains(digest), !revoked.notes.contains(digest) {
      return "it is signed by \(Path(writer.name)), whose key was revoked (\(signer.short))"
    }
    return nil
  }
}

extension Keyring: SignedManifest {
  static var domain: String { "holdfast-1 keyring" }
}

/// A revision of the keyring as it is stored: its contents and its digest.
package struct KeyringRevision: Hashable, Sendable {
  package let keyring: Keyring
  package let digest: Digest

  /// - Parameter previous: the previous revision; `nil` for the first.
  /// - Throws: `DamageError` when the revision is not valid, or its signer was not allowed to make it.
  package init(parsing bytes: [UInt8], after previous: KeyringRevision?, repository: Identifier, name: String) throws {
    let (line, digest) = try ManifestJSON.verify(bytes, name: name)
    keyring = try ManifestJSON.decode(Keyring.self, from: line, name: name)
    self.digest = digest
    try keyring.checkSignature(line: line, name: name)
    guard keyring.features == [Feature.sealed], keyring.repository == repository else {
      throw DamageError(name, "it belongs to another repository")
    }
    guard keyring.revision == (previous?.keyring.revision ?? 0) + 1, keyring.previous == previous?.digest else {
      throw DamageError(name, "it does not follow the revision before it")
    }
    try keyring.checkMembers(name)
    try keyring.checkAuthority(after: previous?.keyring, name)
  }

  package var reference: Envelope.KeyringReference {
    Envelope.KeyringReference(revision: keyring.revision, digest: digest)
  }
}

extension Keyring {
  fileprivate func checkMembers(_ name: String) throws {
    guard (1...Limits.recipientsMax).contains(recipients.count), (1...Limits.writersMax).contains(writers.count) else {
      throw DamageError(name, "it has too few or too many recipients or writers")
    }
    guard recipients.allSatisfy({ $0.id == $0.recipient.id }), Set(recipients.map(\.id)).count == recipients.count,
      Set(writers.map(\.key)).count == writers.count
    else { throw DamageError(name, "its recipients or writers are not sound") }
    guard recipients.allSatisfy({ $0.passphrase?.isSound ?? true }) else {
      throw DamageError(name, "the parameters of a passphrase are out of their bounds")
    }
    guard (recipients.map(\.name) + writers.map(\.name)).allSatisfy(Self.isName) else {
      throw DamageError(name, "a name in it is not sound")
    }
  }

  /// True if a name is printable and short: names are shown on terminals.
  package static func isName(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count) && name.unicodeScalars.allSatisfy(Path.isPrintable)
  }

  /// Checks that the first revision is signed by its first writer, and every later one by an authority of the revision
  /// before.
  fileprivate func checkAuthority(after previous: Keyring?, _ name: String) throws {
    guard let signer = signature?.key else { throw DamageError(name, "it is not signed") }
    guard let previous else {
      guard signer == writers[0].key else { throw DamageError(name, "it is not signed by its first writer") }
      return
    }
    guard previous.recipients.contains(where: { $0.authority == signer }) else {
      throw DamageError(name, "it is signed by a key that had no authority (\(signer.short))")
    }
    // A revocation is final: a later revision can neither drop the writer, and with it the record of the revocation,
    // nor allow it again.
    for writer in previous.writers {
      guard let now = writers.first(where: { $0.key == writer.key }),
        writer.revoked == nil || now.revoked == writer.revoked
      else {
        throw DamageError(name, "it takes back what the revision before it says of the writer \(Path(writer.name))")
      }
    }
  }
}
