import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The records of a body come back as they went in (format.md, section 6).
@Suite(.timeLimit(.minutes(30))) struct BodyTests {
  private func randomChanges(_ random: inout SeededRandom, count: Int) -> [RecordedChange] {
    random.paths(count).map { path in
      if random.number(0...4) == 0 { return RecordedChange(removed: path) }
      let entry = random.entry(path, random.content())
      guard let file = entry.file else { return RecordedChange(entry: entry) }
      return RecordedChange(entry: entry, inherits: Bool.random(using: &random), extents: random.extents(in: file))
    }
  }

  private func write(_ changes: [RecordedChange], _ compression: Compression) throws -> SampleContainer {
    let sink = MemoryBytes()
    let container = try ContainerWriter(SampleContainer.bodyHead, sink: sink)
    let writer = try BodyWriter(container, compression: compression)
    for change in changes {
      if let path = change.removed { try writer.remove(path) }
      if let entry = change.entry {
        try writer.put(entry, inherits: change.inherits)
        for extent in change.extents { try writer.append(extent) }
      }
    }
    let reference = try writer.finish()
    return SampleContainer(bytes: sink.contents, reference: reference)
  }

  @Test(arguments: [Compression.none, .deflate(level: nil), .zstd(level: 1)])
  func changesComeBackWithTheirRuns(_ compression: Compression) throws {
    for seed in UInt64(200)..<210 {
      var random = SeededRandom(seed: seed)
      let changes = randomChanges(&random, count: Int(seed - 199) * 20)
      let container = try write(changes, compression)
      #expect(try readAll(BodyReader(container.open(.body))) == changes, "seed \(seed)")
      let skipped = try readAll(BodyReader(container.open(.body)), takingExtents: false)
      #expect(skipped.map(\.entry) == changes.map(\.entry), "seed \(seed): runs that nobody reads are skipped")
    }
  }

  @Test func aLargeBodyIsWrittenInFrames() throws {
    var random = SeededRandom(seed: 211)
    let changes = randomChanges(&random, count: 1500)
    let container = try write(changes, .none)
    #expect(try container.open(.body).frames.count > 2)
    #expect(try container.open(.body).frames.dropLast().allSatisfy { $0.plainCount == 65_536 })
    #expect(try readAll(BodyReader(container.open(.body))) == changes)
  }

  @Test func anEmptyBodyHasNoChanges() throws {
    let container = try write([], .standard)
    #expect(try container.readAll(.body) == [[0, 0]])
    #expect(try readAll(BodyReader(container.open(.body))) == [])
  }

  /// The writer's bytes are those of a second encoder that was written from the document.
  @Test func recordsHaveTheDocumentedBytes() throws {
    var random = SeededRandom(seed: 212)
    for _ in 0..<50 {
      let entry = random.entry(Path("a"), random.content())
      let expected = RecordBytes().put(entry).end(1)
      let container = try write([RecordedChange(entry: entry)], .none)
      #expect(try container.readAll(.body).flatMap { $0 } == expected.bytes, "seed 212: \(entry)")
    }
  }

  @Test func pathsAreWrittenByWhatTheyShareWithTheOneBefore() throws {
    let container = try write(
      [RecordedChange(removed: Path("shop/a")), RecordedChange(removed: Path("shop/bc"))], .none)
    let expected: [UInt8] = [2, 0, 6] + Array("shop/a".utf8) + [2, 5, 2] + Array("bc".utf8) + [0, 2]
    #expect(try container.readAll(.body) == [expected])
  }
}
