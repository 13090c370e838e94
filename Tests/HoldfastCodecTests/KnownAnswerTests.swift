import HoldfastCodec
import HoldfastModel
import Testing

/// Keys are derived and used as format.md says: another implementation came to the same bytes.
@Suite struct KnownAnswerTests {
  @Test func anIdentityHasItsRecipient() throws {
    let identity = try KnownKeys.makeIdentity()
    #expect(identity.recipient.text == KnownKeys.recipient)
    #expect(identity.recipient.id.description == KnownKeys.recipientID)
    #expect(try Recipient(text: KnownKeys.recipient) == identity.recipient)
    #expect(identity.authority.publicKey == identity.recipient.authority)
  }

  @Test func aWriterKeyHasItsWriter() throws {
    let writer = try KnownKeys.makeWriter()
    #expect(writer.signing.publicKey.writerText == KnownKeys.writer)
    #expect(try PublicKey(writerText: KnownKeys.writer) == writer.signing.publicKey)
    #expect(writer.signing.publicKey.short == "29acbae1")
  }

  /// Keys that are made now sign with a key of its own, so that no key serves two purposes; those from before go on
  /// signing as they did.
  @Test func aWriterSignsWithADerivedKey() throws {
    let writer = try WriterKey(file: secret(KnownKeys.derivingWriterKey), name: "known")
    #expect(writer.signing.publicKey.writerText == KnownKeys.derivedWriter)
    for text in [KnownKeys.derivingWriterKey, KnownKeys.writerKey] {
      let written = try WriterKey(file: secret(text), name: "known").fileText(created: "2026-11-28T00:00:00Z")
      let lines = written.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }.split(separator: "\n")
      #expect(lines.last.map(String.init) == text)
    }
    let made = try WriterKey().fileText(created: "").withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    #expect(made.contains("\nholdfast-writer-secret-2-"))
  }

  @Test func signaturesAreThoseOfEd25519() throws {
    let message = Array("holdfast-1 manifest\n{}\n".utf8)
    let written = try KnownKeys.makeWriter().signing.sign(message)
    #expect(
      written.value
        == bytes(
          "fe0ce638a4b4f14f9c74839f7a1154a805e3334be95fe74ebbe18bb8144748f1"
            + "8141589e3edb4239728f2070c849982ed23a47db2dc77923eb7b8992df01db0b"))
    let authorized = try KnownKeys.makeIdentity().authority.sign(message)
    #expect(
      authorized.value
        == bytes(
          "17a1d7178d527282dabc37077cc143d0e18d4d37922f77385800625581be4a1f"
            + "fff7a6955900003e35c93247ecd0d2ffd23a6d7a24e0e917ce9ef37caa41f704"))
    for signature in [written, authorized] {
      #expect(signature.isValid(for: message))
      for index in message.indices {
        var altered = message
        altered[index] ^= 1
        #expect(!signature.isValid(for: altered), "byte \(index)")
      }
    }
  }

  /// The slot was made by another implementation of HPKE.
  @Test func aSlotOpensToItsObjectKey() throws {
    let key = try #require(KnownKeys.makeIdentity().open(KnownKeys.slot(), info: KnownKeys.objectInfo))
    let sealed = try key.seal(Array("page".utf8), number: 0, associated: [])
    #expect(sealed == bytes("6c6cd0ac44ae816ab83375fb42536b89b4ec9085"))
    let root = try #require(Digest(bytes: [UInt8](repeating: 0x99, count: 32)))
    #expect(
      key.sealedRoot(root).description == "482793c6357213baa0c13f7f60648272a1f327bf9e924ae3f223b6207114a9e4")
  }

  @Test func aSlotOpensForItsObjectAndItsRecipientOnly() throws {
    let identity = try KnownKeys.makeIdentity()
    for index in KnownKeys.objectInfo.indices {
      var info = KnownKeys.objectInfo
      info[index] ^= 1
      #expect(try identity.open(KnownKeys.slot(), info: info) == nil, "byte \(index) of the info")
    }
    for index in 0..<48 {
      var sealed = bytes(KnownKeys.sealedKey)
      sealed[index] ^= 1
      #expect(
        try identity.open(KnownKeys.slot(sealedKey: Hex.encode(sealed)), info: KnownKeys.objectInfo) == nil,
        "byte \(index) of the sealed key")
    }
    for count in [0, 16, 47] {
      let cut = Hex.encode(bytes(KnownKeys.sealedKey).prefix(count))
      #expect(try identity.open(KnownKeys.slot(sealedKey: cut), info: KnownKeys.objectInfo) == nil, "\(count) bytes")
    }
    #expect(try RecoveryIdentity().open(KnownKeys.slot(), info: KnownKeys.objectInfo) == nil)
  }

  /// What is sealed here opens here, under another encapsulated key each time.
  @Test func aKeyIsSealedAnewForEachObject() throws {
    let identity = try KnownKeys.makeIdentity()
    let key = SealingKey()
    let slots = try (0..<4).map { _ in try identity.recipient.seal(key, info: KnownKeys.objectInfo) }
    #expect(Set(slots.map(\.encapsulatedKey)).count == 4)
    #expect(Set(slots.map(\.sealedKey)).count == 4)
    let box = try key.seal([1, 2, 3], number: 9, associated: [4])
    for slot in slots {
      #expect(slot.recipient == identity.recipient.id)
      #expect(slot.sealedKey.count == KeySlot.sealedByteCount)
      #expect(slot.encapsulatedKey.count == KeySlot.encapsulatedByteCount)
      let opened = try #require(identity.open(slot, info: KnownKeys.objectInfo))
      #expect(opened.open(box, number: 9, associated: [4]) == [1, 2, 3])
    }
  }

  @Test func theKeyOfTheCacheIsDerivedFromTheWriterKey() throws {
    let key = try KnownKeys.makeWriter().cacheKey
    #expect(
      try key.seal([1, 2, 3], number: 7, associated: [9]) == bytes("88d7e5e68d801bb99e5005f1aa2c0a91b50cf3"))
    let derived = key.derived(salt: [UInt8](repeating: 5, count: 32))
    #expect(
      try derived.seal(Array("page".utf8), number: 0, associated: [])
        == bytes("ce65701ac51075fa5654745e2285a32aed23de1b"))
  }
}
