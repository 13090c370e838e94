import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import Testing

/// Descriptor and envelope: the exact bytes, and what is refused (format.md, sections 2 and 5).
@Suite struct EnvelopeTests {
  private static let name = "manifest.json"

  private func sample(kind: SnapshotKind = .incremental) throws -> Envelope {
    let shop = try #require(SourceName("shop"))
    let archive = Envelope.Archive(number: 3, sequence: 7, id: identifier(0x33), length: 1000, digest: digest(0x44))
    var changes = Envelope.Changes()
    (changes.added, changes.changed, changes.removed) = (1, 2, 3)
    (changes.pages, changes.pageBytes, changes.readBytes) = (4, 5, 6)
    let parent = kind == .full ? nil : try makeParent()
    return Envelope(
      repository: identifier(0x11), snapshot: identifier(0x22),
      source: Envelope.Source(name: shop, path: #"/srv/\xff"/ä"#), sequence: 7, kind: kind,
      parent: parent,
      time: Envelope.Time(
        started: RecordedTime(text: "2026-11-22T14:05:03.123Z"),
        finished: RecordedTime(text: "2026-11-22T14:05:04.000Z")),
      archives: [archive], body: ObjectReference(id: identifier(0x77), length: 200, digest: digest(0x88)),
      state: Envelope.State(root: digest(0x99), entries: 10, files: 9, bytes: 1 << 62), changes: changes,
      consistency: .torn, incomplete: 2, program: "holdfast 0.1.0")
  }

  private func makeParent() throws -> Envelope.Parent {
    var parent = try Snapshot(parsing: sample(kind: .full).serialized(), name: Self.name).asParent
    (parent.snapshot, parent.sequence, parent.digest) = (identifier(0x55), 6, digest(0x66))
    return parent
  }

  private func hex(_ digits: String, _ count: Int) -> String { String(repeating: digits, count: count) }

  @Test func anEnvelopeHasTheDocumentedBytes() throws {
    let line =
      #"{"archives":[{"digest":"\#(hex("44", 32))","id":"\#(hex("33", 16))","length":1000,"number":3,"sequence":7}],"#
      + #""body":{"digest":"\#(hex("88", 32))","id":"\#(hex("77", 16))","length":200},"#
      + #""changes":{"added":1,"changed":2,"pageBytes":5,"pages":4,"readBytes":6,"removed":3},"#
      + #""consistency":"torn","features":[],"format":1,"incomplete":2,"kind":"incremental","#
      + #""parent":{"digest":"\#(hex("66", 32))","sequence":6,"snapshot":"\#(hex("55", 16))"},"#
      + #""program":"holdfast 0.1.0","repository":"\#(hex("11", 16))","sequence":7,"signature":null,"#
      + #""snapshot":"\#(hex("22", 16))","source":{"name":"shop","path":"/srv/\\xff\"/ä"},"#
      + #""state":{"bytes":4611686018427387904,"entries":10,"files":9,"root":"\#(hex("99", 32))"},"#
      + #""time":{"finished":"2026-11-22T14:05:04.000Z","started":"2026-11-22T14:05:03.123Z"}}"# + "\n"
    let bytes = try sample().serialized()
    #expect(String(decoding: bytes, as: UTF8.self) == line + "\"\(Hasher.digest(Array(line.utf8)))\"\n")
  }

  @Test(arguments: SnapshotKind.allCases)
  func anEnvelopeComesBack(_ kind: SnapshotKind) throws {
    let envelope = try sample(kind: kind)
    let bytes = try envelope.serialized()
    let snapshot = try Snapshot(parsing: bytes, name: Self.name)
    #expect(snapshot.envelope == envelope)
    #expect(snapshot.digest == Hasher.digest(Array(bytes[...(bytes.firstIndex(of: 10) ?? 0)])))
    #expect(snapshot.asParent.digest == snapshot.digest)
    #expect(try snapshot.envelope.serialized() == bytes)
    #expect(envelope.storedBytes == 1200)
    #expect(envelope.started == Timestamp(seconds: 1_795_356_303, nanoseconds: 123_000_000))
  }

  /// Of a merged snapshot only, so that those from before there were any are written as they were.
  @Test func whatAMergedSnapshotStandsForIsWrittenDown() throws {
    var envelope = try sample(kind: .full)
    envelope.merged = Envelope.Merge(
      snapshot: identifier(0x55), sequence: 6, digest: digest(0x66),
      time: RecordedTime(text: "2026-11-23T01:02:03.004Z"))
    let bytes = try envelope.serialized()
    let written =
      #","kind":"full","merged":{"digest":"\#(hex("66", 32))","sequence":6,"snapshot":"\#(hex("55", 16))","#
      + #""time":"2026-11-23T01:02:03.004Z"},"parent":null,"#
    #expect(String(decoding: bytes, as: UTF8.self).contains(written))
    let snapshot = try Snapshot(parsing: bytes, name: Self.name)
    #expect(snapshot.envelope == envelope && snapshot.standsFor == 6)
    let other = try Snapshot(parsing: sample().serialized(), name: Self.name)
    #expect(other.standsFor == 7 && Snapshot.isOlder(snapshot, other) && !Snapshot.isOlder(other, snapshot))
  }

  @Test func everyFlippedByteAndEveryTruncationIsDamage() throws {
    let bytes = try sample().serialized()
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] ^= 0x01
      #expect(throws: DamageError.self, "byte \(index)") { _ = try Snapshot(parsing: damaged, name: Self.name) }
      #expect(throws: DamageError.self, "\(index) bytes") {
        _ = try Snapshot(parsing: Array(bytes.prefix(index)), name: Self.name)
      }
    }
    #expect(throws: DamageError.self) { _ = try Snapshot(parsing: bytes + [10], name: Self.name) }
  }

  /// The bytes with one text in the place of another, and the digest that then belongs to them.
  private func altered(_ bytes: [UInt8], _ old: String, _ new: String) throws -> [UInt8] {
    let line = String(decoding: bytes[...(bytes.firstIndex(of: 10) ?? 0)], as: UTF8.self)
    let parts = line.split(separator: old, maxSplits: 1, omittingEmptySubsequences: false)
    try #require(parts.count == 2, "\(old) is not in it")
    let changed = Array((parts[0] + new + parts[1]).utf8)
    return changed + Array("\"\(Hasher.digest(changed))\"\n".utf8)
  }

  @Test(arguments: [
    (#""format":1"#, #""format":2"#, "it has format 2, and this version reads format 1"),
    (#""format":1"#, #""format":0"#, "it has format 0, and this version reads format 1"),
    (#""features":[]"#, #""features":["sealed\u001b"]"#, #"it needs the feature "sealed\x1b""#),
  ])
  func whatThisVersionDoesNotUnderstandIsRefusedByName(_ old: String, _ new: String, _ finding: String) throws {
    let bytes = try altered(sample().serialized(), old, new)
    #expect(throws: FormatError(Self.name, finding)) { _ = try Snapshot(parsing: bytes, name: Self.name) }
  }

  @Test func aNewerFormatIsNamedEvenIfNothingElseIsUnderstood() throws {
    let line = Array(#"{"features":["x"],"format":9}"#.utf8) + [10]
    let bytes = line + Array("\"\(Hasher.digest(line))\"\n".utf8)
    #expect(throws: FormatError(Self.name, "it has format 9, and this version reads format 1")) {
      _ = try Snapshot(parsing: bytes, name: Self.name)
    }
  }

  @Test func aFieldThatIsNotKnownIsIgnored() throws {
    let bytes = try altered(sample().serialized(), #""format":1"#, #""format":1,"later":{"a":[1]}"#)
    #expect(try Snapshot(parsing: bytes, name: Self.name).envelope == sample())
  }

  @Test(arguments: [
    (#""kind":"incremental""#, #""kind":"full""#), (#""kind":"incremental""#, #""kind":"other""#),
    (#""parent":{"#, #""parent":null,"old":{"#), (#""sequence":6"#, #""sequence":7"#),
    (#""number":3"#, #""number":-1"#),
    (#""sequence":7,"signature""#, #""sequence":0,"signature""#),
    (#""number":3,"sequence":7"#, #""number":3,"sequence":8"#),
    (#""consistency":"torn""#, #""consistency":"fine""#), (#""length":1000"#, #""length":4611686018427387905"#),
    (#""length":200"#, #""length":18446744073709551616"#), (#""length":200"#, #""length":1.5"#),
    (#""bytes":4611686018427387904"#, #""bytes":4611686018427387905"#), (#""name":"shop""#, #""name":"../shop""#),
    (#""started":"2026-11-22T14:05:03.123Z""#, #""started":"yesterday""#), (#""program""#, #""programme""#),
    (#""snapshot":"22"#, #""snapshot":"2g"#), (#""root":"99"#, #""root":"9"#), (#"{"archives""#, #"["archives""#),
  ])
  func whatIsNotSoundIsDamageThoughTheDigestFits(_ old: String, _ new: String) throws {
    let bytes = try altered(sample().serialized(), old, new)
    #expect(throws: DamageError.self) { _ = try Snapshot(parsing: bytes, name: Self.name) }
  }

  /// All envelopes of a source are held at once: none brings more text than it needs.
  @Test(arguments: [
    (#""path":""#, 4 * Limits.pathBytesMax + 1, "the path of its source is too long"),
    (#""program":""#, 257, "a text in it is too long"),
  ])
  func aLongTextIsDamage(_ field: String, _ count: Int, _ finding: String) throws {
    let bytes = try altered(sample().serialized(), field, field + String(repeating: "x", count: count))
    #expect(throws: DamageError(Self.name, finding)) { _ = try Snapshot(parsing: bytes, name: Self.name) }
  }

  @Test func theSameFeatureAgainAndAgainIsDamage() throws {
    let many = #""features":["# + [String](repeating: #""sealed""#, count: 33).joined(separator: ",") + "]"
    let bytes = try altered(sample().serialized(), #""features":[]"#, many)
    #expect(throws: DamageError(Self.name, "it has too many features")) {
      _ = try Snapshot(parsing: bytes, name: Self.name)
    }
  }

  @Test func archivesThatAreNotHeldAreStillCounted() throws {
    let snapshot = try Snapshot(parsing: sample().serialized(), name: Self.name)
    let released = snapshot.withoutArchives
    #expect(snapshot.envelope.archives.isHeld && !released.envelope.archives.isHeld)
    #expect(released.envelope.archives.count == 1 && released.envelope.archives.byteCount == 0)
    #expect(released.envelope.storedBytes == snapshot.envelope.storedBytes)
    #expect(released.digest == snapshot.digest)
  }

  @Test func aFieldThatIsMissingIsNamed() throws {
    let bytes = try altered(sample().serialized(), #""incomplete":2,"#, "")
    #expect(throws: DamageError(Self.name, "its field incomplete is missing or not sound")) {
      _ = try Snapshot(parsing: bytes, name: Self.name)
    }
  }

  @Test func deepNestingIsDamageAndNoCrash() throws {
    let line = [UInt8](repeating: UInt8(ascii: "["), count: 100_000) + [10]
    let bytes = line + Array("\"\(Hasher.digest(line))\"\n".utf8)
    #expect(throws: DamageError.self) { _ = try Snapshot(parsing: bytes, name: Self.name) }
  }

  // MARK: Descriptor

  private let descriptor = Descriptor(
    repository: identifier(0x11), created: RecordedTime(text: "2026-11-22T14:05:03.123Z"))

  @Test func aDescriptorHasTheDocumentedBytes() throws {
    let line =
      #"{"created":"2026-11-22T14:05:03.123Z","features":[],"format":1,"#
      + #""repository":"\#(hex("11", 16))","sealing":"none"}"# + "\n"
    let bytes = try descriptor.serialized()
    #expect(String(decoding: bytes, as: UTF8.self) == line + "\"\(Hasher.digest(Array(line.utf8)))\"\n")
    #expect(try Descriptor(parsing: bytes, name: "holdfast.json") == descriptor)
  }

  @Test(arguments: [
    (#""format":1"#, #""format":2"#, "it has format 2, and this version reads format 1"),
    (#""features":[]"#, #""features":["holograms"]"#, #"it needs the feature "holograms""#),
    (#""sealing":"none""#, #""sealing":"aes""#, #"its sealing is "aes""#),
  ])
  func aNewerRepositoryIsRefusedByName(_ old: String, _ new: String, _ finding: String) throws {
    let bytes = try altered(descriptor.serialized(), old, new)
    #expect(throws: FormatError("holdfast.json", finding)) {
      _ = try Descriptor(parsing: bytes, name: "holdfast.json")
    }
  }

  @Test func everyFlippedByteOfADescriptorIsDamage() throws {
    let bytes = try descriptor.serialized()
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] ^= 0x01
      #expect(throws: DamageError.self, "byte \(index)") { _ = try Descriptor(parsing: damaged, name: "holdfast.json") }
    }
  }
}
