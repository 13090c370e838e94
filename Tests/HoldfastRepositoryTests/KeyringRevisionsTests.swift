import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The revisions of a keyring are read as they were signed, one after the other, or not at all.
@Suite struct KeyringRevisionsTests {
  private static let repository = Sample.repository(1)
  private static let created = RecordedTime(text: "2026-11-22T14:05:03.123Z")
  private let store = MemoryStore()
  private let descriptor: Descriptor
  private let revisions: [KeyringRevision]
  private let names = ["0000000001.json", "0000000002.json", "0000000003.json"]

  init() throws {
    let (owner, writer) = try (RecoveryIdentity(), WriterKey())
    var keyring = Keyring(
      repository: Self.repository, time: Self.created,
      recipients: [Keyring.Member(owner.recipient, name: "owner")],
      writers: [Keyring.Writer(name: "shop-1", key: writer.signing.publicKey)])
    var made: [KeyringRevision] = []
    for number in 1...3 as ClosedRange<UInt64> {
      keyring.revision = number
      keyring.previous = made.last?.digest
      if number > 1 {
        keyring.writers.append(Keyring.Writer(name: "more-\(number)", key: try WriterKey().signing.publicKey))
      }
      let bytes = try keyring.serialized(signedBy: number == 1 ? writer.signing : owner.authority)
      store.contents[Keys.keyring(number)] = bytes
      made.append(
        try KeyringRevision(
          parsing: bytes, after: made.last, repository: Self.repository, name: Keys.keyring(number)))
    }
    revisions = made
    descriptor = Descriptor(repository: Self.repository, created: Self.created, keyring: made[0].digest)
  }

  private func history(_ names: [String]? = nil, of other: Descriptor? = nil) throws -> KeyringHistory {
    try KeyringHistory(of: other ?? descriptor, names: names ?? self.names, in: store)
  }

  private func refusal(_ names: [String]? = nil, of other: Descriptor? = nil) -> String {
    do {
      _ = try history(names, of: other)
      return "none"
    } catch {
      return "\(error)"
    }
  }

  private static let hint =
    "\nHINT: Run `holdfast verify --data` to see everything that is damaged and what can still be restored."

  @Test func allOfThemAreRead() throws {
    #expect(try history().revisions == revisions)
    #expect(try history([names[0]]).revisions == [revisions[0]])
  }

  @Test func anUnsealedRepositoryHasNone() throws {
    let unsealed = Descriptor(repository: Self.repository, created: Self.created)
    #expect(try history([], of: unsealed).revisions == [])
    #expect(
      refusal(of: unsealed) == "\(Keys.descriptor) is damaged: it says unsealed, and there is a keyring" + Self.hint)
  }

  @Test func namesThatDoNotCountUpAreDamage() {
    let first = Keys.keyring(1)
    let cases: [([String], String)] = [
      ([], "\(first) is damaged: it is missing"),
      ([names[1]], "\(first) is damaged: it is missing, and 0000000002.json is there"),
      ([names[0], names[2]], "\(Keys.keyring(2)) is damaged: it is missing, and 0000000003.json is there"),
      ([names[0], names[0]], "\(Keys.keyring(2)) is damaged: it is missing, and 0000000001.json is there"),
      (names + ["x"], "\(Keys.keyring(4)) is damaged: it is missing, and x is there"),
      (["1.json"], "\(first) is damaged: it is missing, and 1.json is there"),
      (
        (1...100_001).map { "\($0)" }, "\(first) is damaged: there are too many revisions"
      ),
    ]
    for (names, message) in cases { #expect(refusal(names) == message + Self.hint) }
    // As many as there may be are read, from the first on.
    let most = (1...100_000).map { "\($0)" }
    #expect(refusal(most) == "\(first) is damaged: it is missing, and 1 is there" + Self.hint)
  }

  @Test func aRevisionThatIsGoneIsNotFound() {
    store.contents[Keys.keyring(2)] = nil
    #expect(throws: StoreError.notFound(key: Keys.keyring(2), location: "memory")) { try history() }
  }

  @Test func theFirstIsThatOfTheDescriptor() {
    let other = Descriptor(repository: Self.repository, created: Self.created, keyring: Hasher.digest([1]))
    #expect(
      refusal(of: other)
        == "\(Keys.keyring(1)) is damaged: it is not the one that the descriptor records" + Self.hint)
  }

  @Test func aRevisionThatIsTooLongIsNotRead() {
    store.contents[Keys.keyring(2)] = [UInt8](repeating: 0x7b, count: (8 << 20) + 1)
    #expect(refusal() == "\(Keys.keyring(2)) is damaged: it is too long" + Self.hint)
    store.contents[Keys.keyring(2)] = [UInt8](repeating: 0x5b, count: 8 << 20)
    #expect(refusal() == "\(Keys.keyring(2)) is damaged: it is cut short" + Self.hint)
  }

  /// JSON as deep as a parser may be made to go, with the digest that it should have.
  @Test func aRevisionThatIsNoKeyringIsDamage() {
    for text in ["[", "{\"a\":", "{}", "null", "\u{0}"] {
      let line = Array(String(repeating: text, count: 100_000).utf8) + [10]
      store.contents[Keys.keyring(2)] = line + Array("\"\(Hasher.digest(line))\"\n".utf8)
      #expect(refusal().hasPrefix("\(Keys.keyring(2)) is damaged: it"), "\(text)")
    }
  }

  /// Every byte is under a digest, and every digest under a signature.
  @Test func damagedAnywhereItIsNotRead() {
    for number in 1...3 as ClosedRange<UInt64> {
      let key = Keys.keyring(number)
      let bytes = store.contents[key] ?? []
      for place in stride(from: Int(number), to: bytes.count, by: 7) {
        store.contents[key]?[place] ^= 1 << UInt8(place % 8)
        #expect(throws: DamageError.self, "byte \(place) of \(key)") { try history() }
        store.contents[key] = bytes
      }
      for count in stride(from: 0, to: bytes.count, by: 7) {
        store.contents[key] = Array(bytes.prefix(count))
        #expect(throws: DamageError.self, "\(count) bytes of \(key)") { try history() }
      }
      store.contents[key] = bytes + [10]
      #expect(throws: DamageError.self) { try history() }
      store.contents[key] = bytes
    }
    #expect(refusal() == "none")
  }

  /// Whoever damages it can make the digest fit, but not the signature.
  @Test func whatNobodySignedIsNotRead() throws {
    let key = Keys.keyring(2)
    let bytes = try #require(store.contents[key])
    let line = Array(bytes.prefix { $0 != 10 })
    for place in stride(from: 0, to: line.count, by: 5) {
      var damaged = line
      damaged[place] ^= 1
      damaged.append(10)
      store.contents[key] = damaged + Array("\"\(Hasher.digest(damaged))\"\n".utf8)
      let error = #expect(throws: (any Error).self, "byte \(place)") { try history() }
      #expect(error is DamageError || error is FormatError, "byte \(place): \(error.map { "\($0)" } ?? "")")
    }
  }
}
