import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Who may open and who may write is changed by who may change it, and by nobody else; a revocation stands.
@Suite struct KeyringTests {
  private static let repository = identifier(0x11)
  private static let key = "keyring/0000000002.json"
  private let owner: RecoveryIdentity
  private let writer: WriterKey
  private let first: KeyringRevision

  init() throws {
    owner = try RecoveryIdentity()
    writer = try WriterKey()
    let keyring = Self.keyring(owner, writer)
    first = try KeyringRevision(
      parsing: keyring.serialized(signedBy: writer.signing), after: nil, repository: Self.repository,
      name: "keyring/0000000001.json")
  }

  private static func keyring(_ owner: RecoveryIdentity, _ writer: WriterKey) -> Keyring {
    Keyring(
      repository: repository, time: RecordedTime(text: "2026-11-22T14:05:03.123Z"),
      recipients: [Keyring.Member(owner.recipient, name: "owner")],
      writers: [Keyring.Writer(name: "shop-1", key: writer.signing.publicKey)])
  }

  /// What follows a revision, changed and signed.
  private func next(
    after revision: KeyringRevision? = nil, by signer: SigningKey? = nil, _ change: (inout Keyring) throws -> Void
  ) throws -> KeyringRevision {
    let previous = revision ?? first
    var keyring = previous.keyring
    keyring.revision += 1
    keyring.previous = previous.digest
    try change(&keyring)
    return try KeyringRevision(
      parsing: keyring.serialized(signedBy: signer ?? owner.authority), after: previous,
      repository: Self.repository, name: Self.key)
  }

  private func refusal(
    after revision: KeyringRevision? = nil, by signer: SigningKey? = nil, _ change: (inout Keyring) throws -> Void
  ) -> String {
    do {
      _ = try next(after: revision, by: signer, change)
      return "none"
    } catch {
      return (error as? DamageError)?.finding ?? "\(error)"
    }
  }

  /// What is refused of a first revision.
  private func firstRefusal(by signer: SigningKey? = nil, _ change: (inout Keyring) throws -> Void) -> String {
    var keyring = Self.keyring(owner, writer)
    do {
      try change(&keyring)
      _ = try KeyringRevision(
        parsing: keyring.serialized(signedBy: signer ?? writer.signing), after: nil, repository: Self.repository,
        name: Self.key)
      return "none"
    } catch {
      return (error as? DamageError)?.finding ?? "\(error)"
    }
  }

  // MARK: Bytes

  @Test func aRevisionHasTheDocumentedBytes() throws {
    var keyring = Self.keyring(owner, writer)
    keyring.writers[0].revoked = Keyring.Writer.Revocation(accepted: [digest(0x22), digest(0x21)])
    let bytes = try keyring.serialized(signedBy: writer.signing)
    let member = owner.recipient
    let line =
      #"{"features":["sealed"],"format":1,"previous":null,"recipients":[{"authority":"\#(member.authority)","#
      + #""id":"\#(member.id)","name":"owner","opening":"\#(member.opening)","passphrase":null}],"#
      + #""repository":"\#(Self.repository)","revision":1,"signature":"#
    #expect(SignedSample.line(bytes).hasPrefix(line))
    let rest =
      #","time":"2026-11-22T14:05:03.123Z","writers":[{"key":"\#(writer.signing.publicKey)","mayPrune":false,"name":"shop-1","#
      + #""revoked":{"accepted":["\#(digest(0x21))","\#(digest(0x22))"]}}]}"#
    #expect(SignedSample.line(bytes).hasSuffix(rest))
    let message = "holdfast-1 keyring\n" + line + "null" + rest + "\n"
    let revision = try KeyringRevision(parsing: bytes, after: nil, repository: Self.repository, name: Self.key)
    #expect(revision.keyring.signature?.isValid(for: Array(message.utf8)) == true)
    #expect(revision.digest == Hasher.digest(Array((SignedSample.line(bytes) + "\n").utf8)))
    #expect(revision.reference == Envelope.KeyringReference(revision: 1, digest: revision.digest))
  }

  @Test func everyAlteredByteIsRefusedThoughTheDigestFits() throws {
    let line = Array(SignedSample.line(try first.keyring.serialized(signedBy: writer.signing)).utf8)
    for index in line.indices {
      for character in Array("0\"".utf8) where character != line[index] {
        var altered = line
        altered[index] = character
        let bytes = SignedSample.object(String(decoding: altered, as: UTF8.self))
        #expect("byte \(index)") {
          try KeyringRevision(parsing: bytes, after: nil, repository: Self.repository, name: Self.key)
        } throws: {
          $0 is any OperatorError
        }
      }
    }
  }

  /// An envelope's signature does not make a keyring of it.
  @Test func aSignatureOfAManifestIsRefused() throws {
    let line = SignedSample.line(try Self.keyring(owner, writer).serialized(signedBy: writer.signing))
    let unsigned = SignedSample.replacingSignature(of: line, by: "null")
    let signature = try writer.signing.sign(Array("holdfast-1 manifest\n\(unsigned)\n".utf8))
    let hostile = SignedSample.replacingSignature(of: line, by: SignedSample.signature(signature))
    #expect(throws: DamageError(Self.key, "its signature does not fit what it signs")) {
      try KeyringRevision(
        parsing: SignedSample.object(hostile), after: nil, repository: Self.repository, name: Self.key)
    }
    #expect(throws: DamageError(Self.key, "it is not signed")) {
      try KeyringRevision(
        parsing: SignedSample.object(unsigned), after: nil, repository: Self.repository, name: Self.key)
    }
  }

  // MARK: Who signs

  @Test func theFirstRevisionIsSignedByItsFirstWriter() throws {
    let other = try WriterKey()
    let finding = "it is not signed by its first writer"
    #expect(firstRefusal(by: other.signing) { _ in } == finding)
    #expect(firstRefusal(by: owner.authority) { _ in } == finding)
    // The second of two.
    let enrolled = Keyring.Writer(name: "shop-2", key: other.signing.publicKey)
    #expect(firstRefusal(by: other.signing) { $0.writers.append(enrolled) } == finding)
    #expect(firstRefusal { $0.writers.append(enrolled) } == "none")
  }

  @Test func aLaterRevisionIsSignedByWhoHadAuthorityBefore() throws {
    let newcomer = try RecoveryIdentity()
    let member = Keyring.Member(newcomer.recipient, name: "newcomer")
    let stranger = try RecoveryIdentity()
    func finding(_ key: PublicKey) -> String { "it is signed by a key that had no authority (\(key.short))" }
    #expect(refusal(by: writer.signing) { _ in } == finding(writer.signing.publicKey))
    #expect(refusal(by: stranger.authority) { _ in } == finding(stranger.authority.publicKey))
    // Who signs himself in.
    #expect(refusal(by: newcomer.authority) { $0.recipients.append(member) } == finding(newcomer.authority.publicKey))
    let second = try next { $0.recipients.append(member) }
    let third = try next(after: second, by: newcomer.authority) { $0.recipients.removeFirst() }
    // Who was removed, and who removes himself.
    #expect(refusal(after: third) { _ in } == finding(owner.authority.publicKey))
    #expect(refusal(after: second) { $0.recipients.removeFirst() } == "none")
  }

  // MARK: What it follows

  @Test func aRevisionFollowsTheOneBefore() throws {
    let finding = "it does not follow the revision before it"
    #expect(refusal { _ in } == "none")
    for revision in [0, 1, 3, UInt64.max] { #expect(refusal { $0.revision = revision } == finding) }
    #expect(refusal { $0.previous = nil } == finding)
    #expect(refusal { $0.previous = digest(0x01) } == finding)
    #expect(firstRefusal { $0.previous = digest(0x01) } == finding)
    #expect(firstRefusal { $0.revision = 2 } == finding)
    #expect(firstRefusal { $0.revision = 0 } == finding)
  }

  /// Two successors of one revision are both sound, and neither continues the other.
  @Test func aForkDoesNotContinue() throws {
    let left = try next { $0.time = RecordedTime(text: "2026-11-23T00:00:00.000Z") }
    let right = try next { $0.time = RecordedTime(text: "2026-11-24T00:00:00.000Z") }
    #expect(left.digest != right.digest)
    let finding = "it does not follow the revision before it"
    #expect(refusal(after: left) { $0.previous = right.digest } == finding)
    #expect(refusal(after: left) { _ in } == "none")
  }

  @Test func aRevisionOfAnotherRepositoryIsRefused() {
    let finding = "it belongs to another repository"
    #expect(refusal { $0.repository = identifier(0x12) } == finding)
    #expect(firstRefusal { $0.repository = identifier(0x12) } == finding)
    #expect(firstRefusal { $0.features = [] } == finding)
    #expect(firstRefusal { $0.features = ["sealed", "sealed"] } == finding)
  }

  // MARK: Writers

  @Test func aRevocationStands() throws {
    let finding = "it takes back what the revision before it says of the writer shop-1"
    let other = Keyring.Writer(name: "shop-2", key: try WriterKey().signing.publicKey)
    #expect(refusal { $0.writers = [other] } == finding)
    let revoked = try next {
      $0.writers.append(other)
      $0.writers[0].revoked = Keyring.Writer.Revocation(accepted: [digest(0x21), digest(0x22)])
    }
    #expect(refusal(after: revoked) { $0.writers[0].revoked = nil } == finding)
    #expect(refusal(after: revoked) { $0.writers[0].revoked?.accepted.insert(digest(0x23)) } == finding)
    #expect(refusal(after: revoked) { $0.writers[0].revoked?.accepted.remove(digest(0x21)) } == finding)
    #expect(refusal(after: revoked) { $0.writers.removeFirst() } == finding)
    #expect(refusal(after: revoked) { $0.writers[0].name = "the stolen one" } == "none")
    #expect(refusal(after: revoked) { $0.writers.reverse() } == "none")
  }

  @Test func aSnapshotCountsByItsWriter() throws {
    let stranger = try WriterKey().signing.publicKey
    let known = writer.signing.publicKey
    #expect(first.keyring.refusal(of: known, digest: digest(1)) == nil)
    #expect(
      first.keyring.refusal(of: stranger, digest: digest(1))
        == "it is signed by a writer that the keyring does not have (\(stranger.short))")
    // An owner signs keyrings and no snapshots.
    let authority = owner.authority.publicKey
    #expect(first.keyring.refusal(of: authority, digest: digest(1)) != nil)
    let revoked = try next { $0.writers[0].revoked = Keyring.Writer.Revocation(accepted: [digest(1)]) }
    #expect(revoked.keyring.refusal(of: known, digest: digest(1)) == nil)
    #expect(
      revoked.keyring.refusal(of: known, digest: digest(2))
        == "it is signed by shop-1, whose key was revoked (\(known.short))")
  }
}
