import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Of what is signed nothing can be changed, and a signature signs one thing only (format.md, section 9).
@Suite struct SignatureTests {
  private let writer: WriterKey
  private let line: String

  init() throws {
    writer = try WriterKey()
    line = SignedSample.line(try SignedSample.envelope().serialized(signedBy: writer.signing))
  }

  private func parse(_ line: String) throws -> Snapshot {
    try Snapshot(parsing: SignedSample.object(line), name: SignedSample.name)
  }

  private func refusal(_ line: String) -> String {
    do {
      _ = try parse(line)
      return "none"
    } catch let error as DamageError {
      return error.finding
    } catch {
      return "\(error)"
    }
  }

  /// The line with a signature over another message in it.
  private func signed(_ message: (_ unsigned: String) -> String, by key: SigningKey? = nil) throws -> String {
    let unsigned = SignedSample.replacingSignature(of: line, by: "null")
    let signature = try (key ?? writer.signing).sign(Array(message(unsigned).utf8))
    return SignedSample.replacingSignature(of: line, by: SignedSample.signature(signature))
  }

  @Test func aSignedEnvelopeComesBack() throws {
    let snapshot = try parse(line)
    #expect(snapshot.envelope.signature?.key == writer.signing.publicKey)
    var unsigned = snapshot.envelope
    unsigned.signature = nil
    #expect(try unsigned == SignedSample.envelope())
    // What is signed is what the document says.
    let message = "holdfast-1 manifest\n" + SignedSample.replacingSignature(of: line, by: "null") + "\n"
    #expect(snapshot.envelope.signature?.isValid(for: Array(message.utf8)) == true)
    #expect(try signed { "holdfast-1 manifest\n\($0)\n" } == line)
  }

  @Test func everyAlteredByteIsRefusedThoughTheDigestFits() throws {
    let bytes = Array(line.utf8)
    for index in bytes.indices {
      for character in Array("0\"".utf8) where character != bytes[index] {
        var altered = bytes
        altered[index] = character
        #expect("byte \(index): \(UnicodeScalar(character))") {
          try parse(String(decoding: altered, as: UTF8.self))
        } throws: {
          $0 is any OperatorError
        }
      }
    }
  }

  @Test(arguments: [
    (#""sequence":1"#, #""sequence":2"#), (#""length":200"#, #""length":201"#), (#""revision":1"#, #""revision":2"#),
    (#""files":9"#, #""files":8"#), (#""name":"shop""#, #""name":"shoq""#), (#""incomplete":0"#, #""incomplete":1"#),
    (#""format":1"#, #""format":1,"later":1"#), (#""path":"""#, #""path":"/""#),
    ("2026-11-22T14:05:03.123Z", "2027-11-22T14:05:03.123Z"), (#""repository":"11"#, #""repository":"12"#),
    (#"{"archives""#, #"{ "archives""#),
  ])
  func anAlteredFieldIsRefused(old: String, new: String) throws {
    let parts = line.split(separator: old, maxSplits: 1, omittingEmptySubsequences: false)
    try #require(parts.count == 2)
    #expect(refusal(parts[0] + new + parts[1]) == "its signature does not fit what it signs")
  }

  // MARK: Signatures from elsewhere

  @Test func aSignatureOfAnotherDomainIsRefused() throws {
    for domain in ["holdfast-1 keyring\n", "holdfast-1 manifest", "holdfast-2 manifest\n", "\n", ""] {
      let hostile = try signed { "\(domain)\($0)\n" }
      #expect(refusal(hostile) == "its signature does not fit what it signs", "\(domain)")
    }
    let withoutNewline = try signed { "holdfast-1 manifest\n\($0)" }
    #expect(refusal(withoutNewline) == "its signature does not fit what it signs")
  }

  @Test func theSignatureOfAnotherEnvelopeIsRefused() throws {
    let other = try SignedSample.envelope { $0.snapshot = identifier(0x23) }.signed(writer)
    let hostile = SignedSample.replacingSignature(of: line, by: SignedSample.signature(other))
    #expect(refusal(hostile) == "its signature does not fit what it signs")
  }

  /// The signature of one key under the name of another.
  @Test func aSignatureThatIsPassedOffAsAnothersIsRefused() throws {
    let honest = try parse(line).envelope.signature
    let hostile = line.replacing(
      try #require(honest).key.description, with: try WriterKey().signing.publicKey.description)
    #expect(refusal(hostile) == "its signature does not fit what it signs")
  }

  /// Adding the order of the group to the second half of a signature of Ed25519 must not make another one that is
  /// valid.
  @Test func aSignatureHasOneFormOnly() throws {
    let order = [
      0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
      0,
      0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ]
    let honest = try #require(try parse(line).envelope.signature)
    var value = honest.value.map { Int($0) }
    var carry = 0
    for index in 0..<32 {
      let sum = value[32 + index] + order[index] + carry
      (value[32 + index], carry) = (sum & 0xff, sum >> 8)
    }
    try #require(carry == 0)
    let text = #"{"key":"\#(honest.key)","value":"\#(Hex.encode(value.map { UInt8($0) }))"}"#
    #expect(
      refusal(SignedSample.replacingSignature(of: line, by: text)) == "its signature does not fit what it signs")
  }

  // MARK: Form

  @Test func anUnsignedSealedEnvelopeIsRefused() throws {
    #expect(refusal(SignedSample.replacingSignature(of: line, by: "null")) == "it is not signed")
    #expect(refusal(SignedSample.line(try SignedSample.envelope().serialized())) == "it is not signed")
  }

  /// Two places for one signature: readers could take another one out than was put in.
  @Test func aSignatureThatStandsTwiceIsRefused() throws {
    let signature = SignedSample.signature(try #require(try parse(line).envelope.signature))
    for extra in [#""copy":{"signature":\#(signature)},"#, #""signature":\#(signature),"#] {
      #expect(refusal("{" + extra + line.dropFirst()) == "its signature is not sound", "\(extra)")
    }
  }

  @Test func aSignatureThatIsWrittenOtherwiseIsRefused() throws {
    let honest = try #require(try parse(line).envelope.signature)
    let (key, value) = (honest.key.description, Hex.encode(honest.value))
    for text in [
      #"{ "key":"\#(key)","value":"\#(value)"}"#, #"{"value":"\#(value)","key":"\#(key)"}"#,
      #"{"key":"\#(key)","value":"\#(value)","more":1}"#,
    ] {
      #expect(refusal(SignedSample.replacingSignature(of: line, by: text)) == "its signature is not sound")
    }
    for (text, field) in [
      (#"{"key":"\#(key)","value":"\#(value.uppercased())"}"#, "value"),
      (#"{"key":"\#(key)","value":"\#(value.dropLast(2))"}"#, "value"), (#"{"key":"\#(key)","value":""}"#, "value"),
      (#"{"key":"\#(key.dropLast(2))","value":"\#(value)"}"#, "key"), (#"{"key":"\#(key)"}"#, "value"),
    ] {
      #expect(
        refusal(SignedSample.replacingSignature(of: line, by: text))
          == "its field signature.\(field) is missing or not sound")
    }
  }

  // MARK: No downgrade

  @Test func whatASealedEnvelopeSaysAboutSealingMustAgree() throws {
    let withoutKeyring = try SignedSample.envelope { $0.keyring = nil }.serialized(signedBy: writer.signing)
    #expect(
      refusal(SignedSample.line(withoutKeyring)) == "what it says about sealing contradicts itself")
    let withoutFeature = try SignedSample.envelope { $0.features = [] }.serialized(signedBy: nil)
    #expect(
      refusal(SignedSample.line(withoutFeature)) == "what it says about sealing contradicts itself")
    let signedOnly = try SignedSample.envelope { ($0.features, $0.keyring) = ([], nil) }
    let bytes = try signedOnly.serialized(signedBy: writer.signing)
    #expect(throws: FormatError(SignedSample.name, "it is signed and not sealed")) {
      try Snapshot(parsing: bytes, name: SignedSample.name)
    }
  }

  @Test(arguments: [
    (#""features":["sealed"]"#, #""features":[]"#), (#""sealing":"sealed""#, #""sealing":"none""#),
    (#""keyring":""#, #""other":""#),
  ])
  func whatADescriptorSaysAboutSealingMustAgree(old: String, new: String) throws {
    let descriptor = Descriptor(
      repository: identifier(0x11), created: RecordedTime(text: "2026-11-22T14:05:03.123Z"), keyring: digest(0x44))
    let line = SignedSample.line(try descriptor.serialized())
    #expect(try Descriptor(parsing: SignedSample.object(line), name: "holdfast.json") == descriptor)
    let altered = line.replacing(old, with: new)
    try #require(altered != line)
    #expect(throws: DamageError("holdfast.json", "what it says about sealing contradicts itself")) {
      try Descriptor(parsing: SignedSample.object(altered), name: "holdfast.json")
    }
  }
}

extension Envelope {
  /// Its signature by this writer.
  fileprivate func signed(_ writer: WriterKey) throws -> Signature {
    let bytes = try serialized(signedBy: writer.signing)
    let snapshot = try Snapshot(parsing: bytes, name: "manifest.json")
    guard let signature = snapshot.envelope.signature else { throw DamageError("manifest.json", "it was not signed") }
    return signature
  }
}
