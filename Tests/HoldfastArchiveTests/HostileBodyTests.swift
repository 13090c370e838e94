import HoldfastArchive
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A body whose container is sound may still be hostile: every record is checked before it is believed.
@Suite(.timeLimit(.minutes(30))) struct HostileBodyTests {
  private static func entry(_ path: String, _ content: Content = .fifo) -> Entry {
    Entry(
      path: Path(path),
      attributes: Attributes(
        mode: 0o644, userID: 0, groupID: 0, modified: Timestamp(seconds: 0, nanoseconds: 0)),
      content: content, identity: Identity(changed: Timestamp(seconds: 0, nanoseconds: 0), device: 1, inode: 2))
  }

  private static func file(_ path: String, size: UInt64 = 10_000, pageSize: UInt32 = 4096) -> Entry {
    entry(
      path, .file(FileContent(size: size, pageSize: pageSize, consistency: .stable, digest: digest(1))))
  }

  private static let records = RecordBytes()

  @Test func theSoundOneIsRead() throws {
    let records = Self.records.put(Self.file("a"), inherits: 1).extent(gap: 0, count: 1).zeros(gap: 1, count: 1).remove(
      Path("b")
    ).end(2)
    let changes = try readAll(records.makeReader())
    #expect(changes.map(\.inherits) == [true, false])
    #expect(changes[0].extents.map(\.first) == [0, 2])
  }

  static let refused: [(name: String, records: RecordBytes)] = [
    ("out of order", records.remove(Path("b")).remove(Path("a")).end(2)),
    ("twice the same path", records.remove(Path("a")).remove(Path("a")).end(2)),
    ("not in path order", records.remove(Path("a.b")).remove(Path("a/b")).end(2)),
    ("an absolute path", records.remove(Path("/etc")).end(1)),
    ("a path that leads out", records.remove(Path("../x")).end(1)),
    ("a path that is too long", records.remove(Path(String(repeating: "a/", count: 2050) + "a")).end(1)),
    ("a component that is too long", records.remove(Path(String(repeating: "a", count: 256))).end(1)),
    ("a path with NUL", records.remove(Path("a\0")).end(1)),
    ("more shared than there is", records.raw([2, 1, 1, 0x61, 0, 1])),
    ("nothing at all", records),
    ("no end", records.remove(Path("a"))),
    ("a wrong count at the end", records.remove(Path("a")).end(2)),
    ("bytes behind the end", records.end(0).raw([0])),
    ("a record behind the end", records.end(0).remove(Path("a"))),
    ("an unknown record", records.raw([5, 0, 0])),
    ("an extent without a file", records.extent(gap: 0, count: 1).end(0)),
    ("a run behind a fifo", records.put(entry("a")).zeros(gap: 0, count: 1).end(1)),
    ("a run behind a removal", records.remove(Path("a")).zeros(gap: 0, count: 1).end(1)),
    ("a fifo that inherits", records.put(entry("a"), inherits: 1).end(1)),
    ("inherits is 2", records.put(file("a"), inherits: 2).end(1)),
    ("an extent of no pages", records.put(file("a")).extent(gap: 0, count: 0).end(1)),
    ("an extent beyond the file", records.put(file("a")).extent(gap: 0, count: 4).end(1)),
    ("a gap beyond the file", records.put(file("a")).zeros(gap: 4, count: 1).end(1)),
    ("a second run beyond", records.put(file("a")).zeros(gap: 0, count: 2).zeros(gap: 0, count: 2).end(1)),
    ("a gap that overflows", records.put(file("a")).zeros(gap: 1, count: 1).zeros(gap: .max, count: 1).end(1)),
    ("a count that overflows", records.put(file("a")).zeros(gap: 1, count: .max).end(1)),
    ("an offset beyond a frame", records.put(file("a")).extent(gap: 0, count: 1, offset: 4 << 20).end(1)),
    ("an offset of 32 bits", records.put(file("a")).extent(gap: 0, count: 1, offset: 1 << 32).end(1)),
    ("a frame that cannot be", records.put(file("a")).extent(gap: 0, count: 1, frame: 1 << 21).end(1)),
    ("more pages than a frame holds", records.put(file("a", size: 1 << 40)).extent(gap: 0, count: 1025).end(1)),
    (
      "more pages than memory holds",
      records.put(file("a", size: 1 << 62, pageSize: 512)).extent(gap: 0, count: 1 << 50).end(1)
    ),
    ("a page size of 256", records.put(file("a", pageSize: 256)).end(1)),
    ("a page size of 2 MiB", records.put(file("a", size: 0, pageSize: 2 << 20)).end(1)),
    ("a page size of 4097", records.put(file("a", pageSize: 4097)).end(1)),
    ("a page size of 0", records.put(file("a", pageSize: 0)).end(1)),
    ("a size beyond the limit", records.put(file("a", size: (1 << 62) + 1)).end(1)),
    ("an empty link", records.put(entry("a", .symbolicLink(target: []))).end(1)),
    ("a link with NUL", records.put(entry("a", .symbolicLink(target: [0x61, 0]))).end(1)),
    (
      "a link that is too long",
      records.put(entry("a", .symbolicLink(target: [UInt8](repeating: 0x61, count: 4096)))).end(1)
    ),
    ("a hard link that leads out", records.put(entry("b", .hardLink(to: Path("../a")))).end(1)),
    ("a number of eleven bytes", records.raw([2] + [UInt8](repeating: 0x80, count: 10) + [1])),
    ("a number beyond 64 bits", records.raw([2] + [UInt8](repeating: 0xff, count: 9) + [2])),
    ("a number not in its shortest form", records.raw([2, 0x80, 0, 1, 0x61, 0, 1])),
    ("a number cut short", records.raw([2, 0x80])),
  ]

  @Test(arguments: refused.indices)
  func whatIsNotSoundIsRefused(_ index: Int) {
    let (name, records) = Self.refused[index]
    #expect(throws: DamageError.self, "\(name)") { _ = try readAll(records.makeReader()) }
  }

  @Test func attributesBeyondTheirLimitsAreRefused() throws {
    let beyond = [
      Attributes(mode: 0o10000, userID: 0, groupID: 0, modified: Timestamp(seconds: 0, nanoseconds: 0)),
      Attributes(mode: 0, userID: 0, groupID: 0, modified: Timestamp(seconds: 0, nanoseconds: 1_000_000_000)),
      Self.attributes([ExtendedAttribute(name: [], value: [1])]),
      Self.attributes([ExtendedAttribute(name: [0x61, 0], value: [1])]),
      Self.attributes([ExtendedAttribute(name: [UInt8](repeating: 0x61, count: 256), value: [1])]),
      Self.attributes([ExtendedAttribute(name: [0x61], value: [UInt8](repeating: 0, count: 65_537))]),
      Self.attributes((0..<1025).map { ExtendedAttribute(name: Array("\($0)".utf8), value: []) }),
      Self.attributes((0..<17).map { ExtendedAttribute(name: [$0 + 1], value: [UInt8](repeating: 0, count: 65_536)) }),
    ]
    for (index, attributes) in beyond.enumerated() {
      var entry = Self.entry("a")
      entry.attributes = attributes
      let records = Self.records.put(entry).end(1)
      #expect(throws: DamageError.self, "case \(index)") { _ = try readAll(records.makeReader(frameBytes: 1 << 20)) }
    }
  }

  private static func attributes(_ extended: [ExtendedAttribute]) -> Attributes {
    Attributes(
      mode: 0, userID: 0, groupID: 0, modified: Timestamp(seconds: 0, nanoseconds: 0), extended: extended)
  }

  @Test func everyTruncationIsRefused() {
    let records = Self.records.put(Self.file("a")).extent(gap: 0, count: 3).put(
      Self.entry("b", .symbolicLink(target: [0x61]))
    ).remove(Path("c")).end(3)
    for count in 1..<records.bytes.count {
      let cut = RecordBytes(bytes: Array(records.bytes.prefix(count)))
      #expect(throws: DamageError.self, "\(count) bytes") { _ = try readAll(cut.makeReader()) }
    }
  }

  /// Whatever the bytes: an error or a result, soon, and never a crash.
  @Test func mutationsNeverCrash() throws {
    for seed in UInt64(0)..<800 {
      var random = SeededRandom(seed: seed)
      var records = RecordBytes()
      let paths = random.paths(6)
      for path in paths {
        var entry = Self.entry("a", random.content())
        entry.path = path
        entry.attributes = random.attributes()
        records = records.put(entry)
        if let file = entry.file, file.pageCount > 3 {
          records = records.zeros(gap: 1, count: 1).extent(gap: 0, count: 1)
        }
      }
      records = records.end(6)
      for _ in 0..<random.number(1...4) {
        let index = random.number(0...records.bytes.count - 1)
        switch random.number(0...3) {
        case 0: records.bytes.remove(at: index)
        case 1: records.bytes.insert(random.number(0...255), at: index)
        case 2: records.bytes[index] = 0xff
        default: records.bytes[index] = random.number(0...255)
        }
      }
      do {
        _ = try readAll(records.makeReader(frameBytes: 100), takingExtents: seed.isMultiple(of: 2))
      } catch is DamageError {
      } catch {
        Issue.record("seed \(seed): \(error)")
      }
    }
  }
}
