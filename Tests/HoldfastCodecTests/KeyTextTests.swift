import HoldfastCodec
import HoldfastModel
import Testing

/// A key that was cut, mistyped or taken for another one is refused before it is used, and its text is never shown.
@Suite struct KeyTextTests {
  private static let texts: [KeyText.Kind: String] = [
    .identity: KnownKeys.identity, .recipient: KnownKeys.recipient, .writerSecret: KnownKeys.derivingWriterKey,
    .rawWriterSecret: KnownKeys.writerKey, .writer: KnownKeys.writer,
  ]

  /// Reads a text as a key of that kind.
  private func read(_ text: String, as kind: KeyText.Kind) throws {
    switch kind {
    case .identity: _ = try RecoveryIdentity(file: secret(text), name: "key file")
    case .writerSecret, .rawWriterSecret: _ = try WriterKey(file: secret(text), name: "key file")
    case .recipient: _ = try Recipient(text: text)
    case .writer: _ = try PublicKey(writerText: text)
    }
  }

  private func error(_ text: String, as kind: KeyText.Kind) -> KeyError? {
    do {
      try read(text, as: kind)
      return nil
    } catch {
      return error as? KeyError
    }
  }

  private func name(_ kind: KeyText.Kind) -> String {
    switch kind {
    case .identity, .writerSecret, .rawWriterSecret: "key file"
    case .recipient: "--recipient"
    case .writer: "--writer"
    }
  }

  @Test(arguments: KeyText.Kind.allCases) func aKeyIsReadAsWhatItIsAndAsNothingElse(kind: KeyText.Kind) throws {
    let text = try #require(Self.texts[kind])
    try read(text, as: kind)
    // A writer key is read as what it says, of the two forms that there are.
    for other in KeyText.Kind.allCases where other.title != kind.title {
      let refusal = error(text, as: other)
      #expect(refusal?.message == "\(name(other)) holds \(kind.title) where \(other.title) is needed")
      #expect(refusal?.exitStatus == .wrongKey)
    }
  }

  @Test func theKindThatIsNeededIsDescribed() {
    #expect(
      error(KnownKeys.recipient, as: .identity)?.description
        == "key file holds a recipient where an identity is needed"
        + "\nHINT: An identity begins with \"holdfast-identity-\".")
    #expect(
      error(KnownKeys.writer, as: .writerSecret)?.description
        == "key file holds a writer where a writer key is needed"
        + "\nHINT: A writer key begins with \"holdfast-writer-secret-\".")
  }

  @Test(arguments: KeyText.Kind.allCases) func everyCutIsNoticed(kind: KeyText.Kind) throws {
    let text = try #require(Self.texts[kind])
    for count in 0..<text.count {
      #expect(error(String(text.prefix(count)), as: kind) != nil, "\(count) characters")
      #expect(error(String(text.suffix(count)), as: kind) != nil, "the last \(count) characters")
    }
    #expect(error(text + "0", as: kind) != nil)
    #expect(error(text + "\n" + text, as: kind) != nil)
  }

  @Test(arguments: KeyText.Kind.allCases) func everyAlteredCharacterIsNoticed(kind: KeyText.Kind) throws {
    let text = Array(try #require(Self.texts[kind]).utf8)
    for index in text.indices {
      for character in Array("0fFg-# ".utf8) where character != text[index] {
        var altered = text
        altered[index] = character
        let shown = String(decoding: altered, as: UTF8.self)
        #expect(error(shown, as: kind) != nil, "character \(index): \(shown)")
      }
    }
  }

  @Test func aDamagedKeyIsNotShown() {
    let text = String(KnownKeys.identity.dropLast()) + "e"
    #expect(
      error(text, as: .identity)?.description
        == "key file holds an identity that was cut or altered: its checksum does not fit"
        + "\nHINT: Take another copy of the key.")
  }

  /// The checksum is no secret: who makes one for other digits still gets no key of another length.
  @Test(arguments: [62, 66]) func aKeyOfAnotherLengthIsRefusedThoughItsChecksumFits(digits: Int) {
    let text = "holdfast-identity-" + String(repeating: "0", count: digits)
    let checksum = Hasher.digest(Array(text.utf8)).description.prefix(8)
    #expect(error(text + "-" + checksum, as: .identity)?.exitStatus == .wrongKey)
  }

  @Test(arguments: ["", "\n\n", "# nothing\n", "ssh-ed25519 AAAA", "holdfast key " + KnownKeys.identity])
  func whatIsNoKey(text: String) {
    #expect(
      error(text, as: .identity)?.description
        == "key file does not hold an identity\nHINT: It is a line that begins with \"holdfast-identity-\".")
  }

  @Test func severalKeysInAFile() {
    for other in [KnownKeys.identity, KnownKeys.writerKey, "anything"] {
      #expect(
        error(KnownKeys.identity + "\n" + other + "\n", as: .identity)?.description
          == "key file holds more than one key\nHINT: Keep one key in a file.")
    }
  }

  @Test(arguments: ["", "\n", "\r\n", " \t\n", "\n# a comment\n"]) func aKeyAmongCommentsAndBlanks(end: String) throws {
    let lines = ["# written on a Sunday", "   # \(KnownKeys.writerKey)", "", "\t \(KnownKeys.identity) "]
    for separator in ["\n", "\r\n", "\n\n"] {
      let text = lines.joined(separator: separator) + end
      let identity = try RecoveryIdentity(file: secret(text), name: "key file")
      #expect(identity.recipient.text == KnownKeys.recipient)
    }
  }

  @Test func aKeyFileIsReadAsItIsWritten() throws {
    let identity = try RecoveryIdentity()
    let file = identity.fileText(created: "2026-11-22T14:05:03.123Z")
    #expect(try RecoveryIdentity(file: file, name: "key file").recipient == identity.recipient)
    let text = file.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    #expect(text.contains("\n# created: 2026-11-22T14:05:03.123Z\n# recipient: \(identity.recipient.text)\n"))
    let writer = try WriterKey()
    let other = writer.fileText(created: "2026-11-22T14:05:03.123Z")
    #expect(try WriterKey(file: other, name: "key file").signing.publicKey == writer.signing.publicKey)
    let shown = other.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    #expect(shown.contains("\n# writer: \(writer.signing.publicKey.writerText)\n"))
    #expect(shown.split(separator: "\n").filter { !$0.hasPrefix("#") }.count == 1)
  }

  @Test func freshKeysDiffer() throws {
    #expect(Set(try (0..<8).map { _ in try RecoveryIdentity().recipient.id }).count == 8)
    #expect(Set(try (0..<8).map { _ in try WriterKey().signing.publicKey }).count == 8)
  }

  /// What was read from a file does not stay in the array that it was read into.
  @Test func bytesThatAreTakenOverAreGone() {
    var read = Array(KnownKeys.identity.utf8)
    let taken = SecretBytes(taking: &read)
    #expect(read == [])
    #expect(taken.count == KnownKeys.identity.utf8.count)
  }
}
