import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A replay comes to exactly the state that the snapshot recorded, however long its chain is (format.md, section 7).
@Suite(.timeLimit(.minutes(30))) struct ReplayTests {
  private func replay(_ readers: [any ChangeReader]) throws -> StateFile {
    let sink = MemoryBytes(name: "state")
    let writer = StateWriter(sink)
    var replay = try Replay(readers)
    try replay.write(to: writer, cancellation: Cancellation())
    return StateFile(bytes: sink, summary: try writer.finish())
  }

  private func expect(_ state: StateFile, _ expected: NaiveState, _ comment: Comment) throws {
    #expect(state.summary == expected.summary, comment)
    let found = try NaiveState(state)
    #expect(found.nodes == expected.nodes, comment)
  }

  @Test func aChainOfAnyLengthGivesTheNewestState() throws {
    for seed in UInt64(0)..<60 {
      var random = SeededRandom(seed: seed)
      var states = [NaiveState()]
      var bodies: [SampleContainer] = []
      for layer in 0..<random.number(1...12) {
        var next = layer == 0 ? NaiveState.start(&random) : states[layer]
        for _ in 0..<random.number(0...25) { next.change(archive: UInt64(layer), &random) }
        bodies.append(try next.body(since: states[layer], &random))
        states.append(next)
      }
      let newest = states[states.count - 1]
      let whole = try replay(bodies.map { BodyReader(try $0.open(.body)) })
      try expect(whole, newest, "seed \(seed)")

      // From the state of any snapshot on, as with the local cache, the result is the same.
      let middle = random.number(1...bodies.count)
      let cached = try replay(bodies[..<middle].map { BodyReader(try $0.open(.body)) })
      try expect(cached, states[middle], "seed \(seed), the first \(middle)")
      let rest: [any ChangeReader] = try bodies[middle...].map { BodyReader(try $0.open(.body)) }
      try expect(try replay([cached.makeReader()] + rest), newest, "seed \(seed), from \(middle) on")
    }
  }

  @Test func aReplayOfNothingIsTheEmptyState() throws {
    #expect(try replay([RecordBytes]()).summary == StateFile.empty().summary)
    #expect(try replay([StateFile.empty().makeReader()]).summary == NaiveState().summary)
  }

  // MARK: Layers that do not fit

  private static let time = Timestamp(seconds: 0, nanoseconds: 0)

  private func entry(_ path: String, _ content: Content = .directory) -> Entry {
    Entry(
      path: Path(path), attributes: Attributes(mode: 0o755, userID: 0, groupID: 0, modified: Self.time),
      content: content, identity: Identity(changed: Self.time, device: 0, inode: 0))
  }

  private func file(_ path: String, pages: UInt64 = 1, pageSize: UInt32 = 512) -> Entry {
    var node = NaiveState.Node(
      entry: entry(
        path,
        .file(FileContent(size: 0, pageSize: pageSize, consistency: .stable, digest: digest(0)))),
      pages: Array(repeating: nil, count: Int(pages)))
    node.seal(size: pages * UInt64(pageSize))
    return node.entry
  }

  private func replay(_ layers: [RecordBytes]) throws -> StateFile {
    try replay(layers.map { try $0.makeReader() })
  }

  private let records = RecordBytes()

  /// The directory, and a file of one zero page in it.
  private var full: RecordBytes { records.put(entry("")).put(file("a")).zeros(gap: 0, count: 1).end(2) }

  /// Directories in one another.
  private var nested: RecordBytes { records.put(entry("")).put(entry("d")).put(entry("d/e")).end(3) }

  @Test func theSoundLayersAreReplayed() throws {
    let grown = records.put(file("a", pages: 2), inherits: 1).zeros(gap: 1, count: 1).end(1)
    #expect(try replay([full, grown]).summary.bytes == 1024)
    #expect(try replay([nested]).summary.entries == 3)
  }

  private func expectDamage(_ finding: String, _ layers: [RecordBytes]) {
    #expect(throws: DamageError("sample", finding)) { _ = try replay(layers) }
  }

  @Test func whatRemovesWhatIsNotThereIsDamage() {
    expectDamage("it removes what is not there", [full, records.remove(Path("b")).end(1)])
    expectDamage("it removes what is not there", [records.put(entry("")).remove(Path("b")).end(2)])
  }

  @Test func whatLiesInNoDirectoryIsDamage() {
    let root = records.put(entry(""))
    let link = entry("d", .symbolicLink(target: [0x2f]))
    expectDamage("its root is not a directory", [records.put(file("")).zeros(gap: 0, count: 1).end(1)])
    expectDamage("a lies in no directory", [records.put(entry("a")).end(1)])
    expectDamage("a lies in no directory", [full, records.remove(.root).end(1)])
    expectDamage("a/b lies in no directory", [root.put(entry("a/b")).end(2)])
    expectDamage("a/b lies in no directory", [full, records.put(entry("a/b")).end(1)])
    expectDamage("d/e lies in no directory", [nested, records.remove(Path("d")).end(1)])
    expectDamage("d/e lies in no directory", [nested, records.put(link).end(1)])
  }

  @Test func whatInheritsFromNothingIsDamage() {
    let root = records.put(entry(""))
    let heir = records.put(file("a"), inherits: 1).end(1)
    expectDamage("a inherits pages from nothing", [root.put(file("a"), inherits: 1).end(2)])
    expectDamage("b inherits pages from nothing", [full, records.put(file("b"), inherits: 1).end(1)])
    expectDamage("a inherits pages from what has none", [full, records.remove(Path("a")).end(1), heir])
    expectDamage("a inherits pages from what has none", [root.put(entry("a")).end(2), heir])
    expectDamage(
      "a inherits pages from what has none", [full, records.put(file("a", pageSize: 4096), inherits: 1).end(1)])
  }

  @Test func pagesThatDoNotAddUpAreDamage() {
    expectDamage(
      "page 0 of a file is in no snapshot of the chain", [records.put(entry("")).put(file("a")).end(2)])
    expectDamage(
      "page 1 of a file is in no snapshot of the chain",
      [full, records.put(file("a", pages: 2), inherits: 1).end(1)])
    expectDamage(
      "the pages of a do not add up to its digest",
      [full, records.put(file("a"), inherits: 1).extent(gap: 0, count: 1).end(1)])
  }

  @Test(arguments: ["a", "b"])
  func aHardLinkToWhatComesNotBeforeItIsDamage(_ target: String) {
    expectDamage(
      "a links to what comes after it", [records.put(entry("")).put(entry("a", .hardLink(to: Path(target)))).end(2)])
  }

  // MARK: State files

  /// What a reader lets a state take is reckoned by what is stored of it: a body shortens paths, so a state must.
  @Test func aStateOfLongPathsIsHardlyLongerThanItsRecords() throws {
    let time = Timestamp(seconds: 1_000_000_000, nanoseconds: 0)
    func entry(_ path: String, _ content: Content) -> Entry {
      Entry(
        path: Path(path), attributes: Attributes(mode: 0o600, userID: 0, groupID: 0, modified: time), content: content,
        identity: Identity(changed: time, device: 1, inode: 1))
    }
    let bytes = MemoryBytes()
    let id = try #require(Identifier(bytes: [UInt8](repeating: 1, count: 16)))
    let name = ContainerName(kind: .body, repository: id, id: id)
    let writer = try BodyWriter(ContainerWriter(ContainerHead(name), sink: bytes), compression: .none)
    var folder = ""
    try writer.put(entry("", .directory), inherits: false)
    for level in 0..<15 {
      folder += (level == 0 ? "" : "/") + String(repeating: "d", count: 250)
      try writer.put(entry(folder, .directory), inherits: false)
    }
    for number in 1000..<3000 { try writer.put(entry("\(folder)/\(number)", .fifo), inherits: false) }
    let body = try ContainerReader(
      bytes, kind: .body, repository: id, reference: writer.finish(), access: .unsealed)
    let state = try replay([BodyReader(body)])
    #expect(state.summary.entries == 2016)
    #expect(state.bytes.length <= body.frames.plainBytes * Limits.stateRatioMax / Limits.bodyRatioMax)
    let last = try #require(try NaiveState(state).nodes.keys.max())
    #expect(last == Path("\(folder)/2999"))
  }

  @Test func theFilesOfAStateAndTheirMapsCanBeReadAlone() throws {
    for seed in UInt64(70)..<80 {
      var random = SeededRandom(seed: seed)
      var naive = NaiveState.start(&random)
      for _ in 0..<60 { naive.change(archive: 0, &random) }
      let state = try replay([BodyReader(try naive.body(since: NaiveState(), &random).open(.body))])
      let reader = state.makeReader()
      while let entry = try reader.nextEntry() {
        let alone = try state.file(at: reader.entryOffset)
        #expect(alone?.content == entry.file, "seed \(seed)")
        #expect(alone.map { $0.mapOffset == reader.mapOffset } ?? true, "seed \(seed)")
        guard let file = entry.file else { continue }
        var extents: [PageExtent] = []
        var map = state.extents(at: reader.mapOffset, of: file)
        while let extent = try map.next() { extents.append(extent) }
        let pages = naive.nodes[entry.path]?.pages ?? []
        #expect(extents.reduce(0) { $0 + $1.count } == UInt64(pages.count), "seed \(seed): \(entry.path)")
      }
    }
  }
}
