import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What a keyring says of recipients and writers is within bounds, whoever signed it.
@Suite struct KeyringMemberTests {
  private static let repository = identifier(0x11)
  private static let key = "keyring/0000000001.json"
  private let owner: RecoveryIdentity
  private let writer: WriterKey

  init() throws {
    owner = try RecoveryIdentity()
    writer = try WriterKey()
  }

  private func refusal(_ change: (inout Keyring) throws -> Void) -> String {
    var keyring = Keyring(
      repository: Self.repository, time: RecordedTime(text: "2026-11-22T14:05:03.123Z"),
      recipients: [Keyring.Member(owner.recipient, name: "owner")],
      writers: [Keyring.Writer(name: "shop-1", key: writer.signing.publicKey)])
    do {
      try change(&keyring)
      return try parse(keyring.serialized(signedBy: writer.signing))
    } catch {
      return "\(error)"
    }
  }

  private func parse(_ bytes: [UInt8]) -> String {
    do {
      _ = try KeyringRevision(parsing: bytes, after: nil, repository: Self.repository, name: Self.key)
      return "none"
    } catch {
      return (error as? DamageError)?.finding ?? "\(error)"
    }
  }

  private func members(_ count: Int) throws -> [Keyring.Member] {
    try (0..<count).map { Keyring.Member(try RecoveryIdentity().recipient, name: "recipient \($0)") }
  }

  /// Any 32 bytes are a key to who only compares them.
  private func writers(_ count: Int) throws -> [Keyring.Writer] {
    try (0..<count).map { number in
      let bytes = [UInt8(number & 0xff), UInt8(number >> 8)] + [UInt8](repeating: 7, count: 30)
      return Keyring.Writer(name: "writer \(number)", key: try #require(PublicKey(bytes: bytes)))
    }
  }

  @Test func thereAreAsManyAsAreAllowed() throws {
    let finding = "it has too few or too many recipients or writers"
    #expect(refusal { $0.recipients = [] } == finding)
    #expect(refusal { $0.recipients = try members(64) } == "none")
    #expect(refusal { $0.recipients = try members(65) } == finding)
    #expect(refusal { $0.writers += try writers(1023) } == "none")
    #expect(refusal { $0.writers += try writers(1024) } == finding)
    #expect(refusal { $0.writers = [] } == finding)
  }

  @Test func eachIsThereOnce() throws {
    let finding = "its recipients or writers are not sound"
    #expect(refusal { $0.recipients.append($0.recipients[0]) } == finding)
    #expect(refusal { $0.writers.append($0.writers[0]) } == finding)
    #expect(
      refusal { $0.writers.append(Keyring.Writer(name: "another name", key: $0.writers[0].key)) } == finding)
  }

  /// The ID is what people compare: it is that of both keys.
  @Test func anIDIsThatOfItsKeys() throws {
    let finding = "its recipients or writers are not sound"
    let other = try RecoveryIdentity().recipient
    #expect(refusal { $0.recipients[0].id = other.id } == finding)
    #expect(refusal { $0.recipients[0].opening = other.opening } == finding)
    #expect(refusal { $0.recipients[0].authority = other.authority } == finding)
  }

  @Test(arguments: ["", "two\nlines", "\u{1b}[2J", "left\u{202e}right", "a\0", String(repeating: "n", count: 65)])
  func aNameIsPrintableAndShort(name: String) {
    let finding = "a name in it is not sound"
    #expect(refusal { $0.recipients[0].name = name } == finding)
    #expect(refusal { $0.writers[0].name = name } == finding)
  }

  @Test func aNameMayBeOfAnyLanguage() {
    for name in ["Büro", "店", String(repeating: "n", count: 64)] {
      #expect(refusal { $0.recipients[0].name = name } == "none")
    }
  }

  /// Costs that nobody chose in good faith: a guess that is cheap, or a reader without memory.
  @Test func aPassphraseHasParametersWithinBounds() throws {
    let seal = try PassphraseSeal(
      owner, passphrase: secret("six words"), repository: Self.repository, logN: 15)
    #expect(refusal { $0.recipients[0].passphrase = seal } == "none")
    // Signed by who may: the bounds do not depend on trust.
    let keyring = Keyring(
      repository: Self.repository, time: RecordedTime(text: "2026-11-22T14:05:03.123Z"),
      recipients: [Keyring.Member(owner.recipient, name: "owner", passphrase: seal)],
      writers: [Keyring.Writer(name: "shop-1", key: writer.signing.publicKey)])
    let line = SignedSample.line(try keyring.serialized(signedBy: writer.signing))
    for (old, new) in [
      (#""logN":15"#, #""logN":14"#), (#""logN":15"#, #""logN":19"#), (#""logN":15"#, #""logN":-1"#),
      (#""r":8"#, #""r":1"#), (#""p":1"#, #""p":1000000"#), (#""salt":""#, #""salt":"00"#),
      (#""sealed":""#, #""sealed":"00"#),
    ] {
      let unsigned = SignedSample.replacingSignature(of: line, by: "null").replacing(old, with: new)
      let signature = try writer.signing.sign(Array("holdfast-1 keyring\n\(unsigned)\n".utf8))
      let hostile = SignedSample.replacingSignature(of: unsigned, by: SignedSample.signature(signature))
      #expect(hostile.contains(new))
      #expect(
        parse(SignedSample.object(hostile)) == "the parameters of a passphrase are out of their bounds", "\(new)")
    }
  }

  private func secret(_ text: String) -> SecretBytes {
    var bytes = Array(text.utf8)
    return SecretBytes(taking: &bytes)
  }
}
