import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The list of targets as bytes: what is written is read, nothing else is, and no revision gives a target other
/// numbers than the one before.
@Suite struct TargetListTests {
  private static let time = RecordedTime(text: "2026-11-23T04:05:06.000Z")
  private let id = identifier(0x0a)

  private func descriptor(isSealed: Bool = false) -> Descriptor {
    Descriptor(repository: id, created: Self.time, keyring: isSealed ? digest(1) : nil)
  }

  private func sample(isSealed: Bool = false) -> TargetList {
    let home = TargetList.Member(name: "here", residue: nil, location: "/backup/shop")
    var list = TargetList(repository: id, isSealed: isSealed, home: home, above: 7, time: Self.time)
    list.targets.append(
      TargetList.Member(
        name: "cloud", residue: 1, location: "s3:https://host/bucket", domains: ["site": "fra", "account": "y"]))
    list.program = "holdfast test"
    return list
  }

  private func parse(
    _ list: TargetList, after previous: TargetListRevision? = nil, signedBy writer: WriterKey? = nil
  ) throws -> TargetListRevision {
    try TargetListRevision(
      parsing: list.serialized(signedBy: writer?.signing), after: previous, of: descriptor(isSealed: writer != nil),
      name: "list")
  }

  private func next(_ revision: TargetListRevision, _ change: (inout TargetList) -> Void) throws -> TargetListRevision {
    var list = revision.list
    (list.revision, list.previous) = (list.revision + 1, revision.digest)
    change(&list)
    return try parse(list, after: revision)
  }

  @Test func theBytesAreThoseOfTheDocument() throws {
    let bytes = try sample().serialized()
    #expect(
      String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        == #"{"features":[],"format":1,"home":"here","previous":null,"program":"holdfast test","repository":"\#(id)","residuesFrom":2000,"retired":[],"revision":1,"signature":null,"targets":["#
        + #"{"domains":{},"location":"/backup/shop","name":"here","residue":null},"#
        + #"{"domains":{"account":"y","site":"fra"},"location":"s3:https://host/bucket","name":"cloud","residue":1}],"#
        + #""time":"2026-11-23T04:05:06.000Z"}"#)
    #expect(try parse(sample()).list == sample())
  }

  /// The scheme and the positions stand in the list; a reader that does not know shards refuses it by a feature.
  @Test func aDividedListIsThatOfTheDocument() throws {
    var list = sample()
    list.targets.append(TargetList.Member(name: "barn", residue: 2, location: "/barn"))
    list.divide(try #require(ErasureScheme("1+1")))
    let line = String(decoding: try list.serialized().prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    #expect(line.hasPrefix(#"{"erasure":"1+1","features":["erasure"],"format":1,"#), "\(line)")
    #expect(line.contains(#""name":"here","residue":null,"shard":0}"#) && line.contains(#""residue":1,"shard":1}"#))
    #expect(line.contains(#""name":"barn","residue":2}"#))
    #expect(try parse(list).list == list && list.spares == ["barn"])
    list.remove("cloud")
    #expect(list.member("barn")?.shard == 1 && list.spares == [])
  }

  @Test func positionsThatContradictEachOtherAreDamage() throws {
    var list = sample()
    list.divide(try #require(ErasureScheme("1+1")))
    let bytes = String(decoding: try list.serialized(), as: UTF8.self)
    for (from, to) in [
      (#""shard":1"#, #""shard":0"#), (#""shard":1"#, #""shard":2"#), (#","shard":1"#, ""),
      (#""features":["erasure"]"#, #""features":[]"#), (#""erasure":"1+1","#, ""), (#""1+1""#, #""2+1""#),
    ] {
      let line = bytes.prefix { $0 != "\n" }.replacing(from, with: to)
      #expect(throws: DamageError("list", "its shards are not sound"), "\(from) as \(to)") {
        try TargetListRevision(
          parsing: ManifestLine(text: String(line)).bytes, after: nil, of: descriptor(), name: "list")
      }
    }
  }

  /// There is room for the number of a run that has not seen the list.
  @Test(arguments: [(0, 1000), (1, 2000), (999, 2000), (1000, 2000), (1001, 3000)] as [(UInt64, UInt64)])
  func residuesHoldWellAboveWhatIsThere(highest: UInt64, from: UInt64) {
    let home = TargetList.Member(name: "here", residue: nil, location: "/a")
    let list = TargetList(repository: id, isSealed: false, home: home, above: highest, time: Self.time)
    #expect(list.residuesFrom == from)
  }

  @Test func aSealedListIsSigned() throws {
    let writer = try WriterKey()
    let sealed = sample(isSealed: true)
    #expect(try parse(sealed, signedBy: writer).list.signature?.key == writer.signing.publicKey)
    let other = DamageError("list", "it is not signed in a sealed repository")
    #expect(throws: other) {
      try TargetListRevision(
        parsing: sample().serialized(), after: nil, of: descriptor(isSealed: true), name: "list")
    }
    #expect(throws: DamageError("list", "it is signed in an unsealed repository")) {
      try TargetListRevision(
        parsing: sealed.serialized(signedBy: writer.signing), after: nil, of: descriptor(), name: "list")
    }
    var changed = try parse(sealed, signedBy: writer).list
    changed.home = "cloud"
    let bytes = try ManifestLine(changed).bytes
    #expect(throws: DamageError("list", "its signature does not fit what it signs")) {
      try TargetListRevision(parsing: bytes, after: nil, of: descriptor(isSealed: true), name: "list")
    }
  }

  @Test func hostileListsAreRefused() throws {
    func expect(_ finding: String, _ change: (inout TargetList) -> Void) throws {
      var list = sample()
      change(&list)
      #expect(throws: DamageError("list", finding)) { try parse(list) }
    }
    try expect("it does not follow the revision before it") { $0.revision = 2 }
    try expect("it does not follow the revision before it") { $0.previous = digest(1) }
    try expect("it belongs to another repository") { $0.repository = identifier(0x0b) }
    try expect("its revision, its time or its program is not sound") { $0.time = RecordedTime(text: "yesterday") }
    let targets = "its targets are not sound"
    try expect(targets) { $0.targets = [] }
    try expect(targets) { $0.home = "nowhere" }
    try expect(targets) { $0.targets[1].name = "here" }
    try expect(targets) { $0.targets[1].name = "\u{1B}[2J" }
    try expect(targets) { $0.targets[1].location = "" }
    try expect(targets) { $0.targets[1].location = String(repeating: "x", count: 4096) }
    try expect(targets) { $0.targets[1].domains["colour"] = "red" }
    try expect(targets) { $0.targets[1].domains["site"] = "a\nb" }
    try expect(targets) { list in
      list.targets = (0...16).map { TargetList.Member(name: "t\($0)", residue: $0 == 0 ? nil : 1, location: "/") }
      list.home = "t0"
    }
    let residues = "its residues are not sound"
    try expect(residues) { $0.targets[1].residue = 0 }
    try expect(residues) { $0.targets[1].residue = 16 }
    try expect(residues) { $0.targets[1].residue = nil }
    try expect(residues) { $0.retired = [1] }
    try expect(residues) { $0.residuesFrom = 2001 }
    try expect(residues) { $0.residuesFrom = 0 }
    try expect(residues) { $0.residuesFrom = 10_000_000_000 }
    try expect("its home is not the first one") { $0.home = "cloud" }
    try expect("its home is not the first one") { $0.retired = [2] }
    #expect(throws: FormatError("list", "it needs the feature \"tomorrow\"")) {
      var list = sample()
      list.features = ["tomorrow"]
      _ = try parse(list)
    }
  }

  @Test func noRevisionGivesATargetOtherNumbers() throws {
    let first = try parse(sample())
    let second = try next(first) { $0.home = "cloud" }
    let third = try next(second) { $0.remove("here") }
    #expect(third.list.targets.map(\.name) == ["cloud"] && third.list.retired == [])
    let added = TargetList.Member(name: "barn", residue: 2, location: "/barn")
    let fourth = try next(third) { $0.targets.append(added) }
    let fifth = try next(fourth) { $0.remove("barn") }
    #expect(fifth.list.retired == [2] && fifth.list.nextResidue == 3)
    let finding = DamageError("list", "it gives a target other numbers than the revision before it")
    for change: (inout TargetList) -> Void in [
      { $0.residuesFrom += 1000 }, { $0.targets[0].residue = 4 }, { $0.retired = [] }, { $0.retired = [2, 3] },
      { list in
        list.retired = []
        list.targets.append(added)
      },
      { $0.targets.append(TargetList.Member(name: "here", residue: nil, location: "/backup/shop")) },
    ] {
      #expect(throws: finding) { try next(fifth, change) }
    }
    #expect(throws: finding) { try next(fourth) { $0.targets.removeLast() } }
  }

  /// Two revisions that were written once, from the document alone: every later version reads them.
  @Test(arguments: [("plain", "format-1"), ("sealed", "format-1-sealed")])
  func whatWasWrittenOnceIsReadForEver(name: String, repository: String) throws {
    let fixtures = (Path(#filePath).parent?.parent ?? .root).appending("Fixtures")
    let described = try #require(TestFiles.read(fixtures.appending(repository).appending("holdfast.json")))
    let descriptor = try Descriptor(parsing: described, name: "holdfast.json")
    var revision: TargetListRevision?
    for number in 1...2 {
      let file = fixtures.appending("format-1-targets/\(name)/000000000\(number).json")
      revision = try TargetListRevision(
        parsing: try #require(TestFiles.read(file)), after: revision, of: descriptor, name: file.text)
    }
    let list = try #require(revision).list
    #expect(list.home == "cloud" && list.residuesFrom == 1000 && list.retired == [2])
    #expect(list.targets.map(\.name) == ["here", "cloud", "attic"] && list.targets.map(\.residue) == [nil, 1, 3])
    #expect(list.targets.map(\.location) == ["/backup/shop", "s3:https://s3.example/shop", "/mnt/attic"])
    #expect(list.targets[1].domains == ["account": "y", "provider": "x", "site": "fra"])
  }

  @Test func noBitOfItCanBeChanged() throws {
    let bytes = try sample(isSealed: true).serialized(signedBy: WriterKey().signing)
    for index in stride(from: 0, to: bytes.count, by: 5) {
      var damaged = bytes
      damaged[index] ^= 4
      #expect(throws: (any Error).self, "byte \(index)") {
        try TargetListRevision(parsing: damaged, after: nil, of: descriptor(isSealed: true), name: "list")
      }
    }
  }
}

/// Two targets never give the same number, whatever each of them knows.
@Suite struct OwnNumbersTests {
  private func list(from: UInt64) throws -> TargetList {
    let home = TargetList.Member(name: "t0", residue: nil, location: "/")
    var list = TargetList(
      repository: identifier(1), isSealed: false, home: home, above: from - 1000, time: RecordedTime(text: ""))
    for residue in OwnNumbers.residues {
      list.targets.append(TargetList.Member(name: "t\(residue)", residue: residue, location: "/"))
    }
    return list
  }

  @Test func theNumbersAreThoseOfTheDecision() throws {
    let list = try list(from: 1000)
    let (home, cloud) = (list.ownNumbers(of: list.targets[0]), list.ownNumbers(of: list.targets[2]))
    #expect([0, 1, 15, 998, 999, 1015, 1016, 1999].map(home.next) == [1, 2, 16, 999, 1016, 1016, 1017, 2016])
    #expect([0, 1001, 1002, 2001, 2002].map(cloud.next) == [1002, 1002, 2002, 2002, 3002])
    #expect([0, 999, UInt64.max].map(OwnNumbers.all.next) == [1, 1000, .max], "without a list nothing changes")
    #expect(home.next(after: Limits.sequenceMax) > Limits.sequenceMax)
    #expect(cloud.next(after: Limits.sequenceMax - 997) > Limits.sequenceMax && cloud.next(after: .max) == .max)
  }

  @Test(arguments: Trials.seeds(byDay: 20, atNight: 1000))
  func noTwoTargetsGiveTheSameNumber(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let from = (random.next() % 20 + 1) * 1000
    let list = try list(from: from)
    var givers: [UInt64: Int] = [:]
    var highest = [UInt64](repeating: 0, count: list.targets.count)
    // Runs that have not seen the list, before it is there.
    for number in 0..<(random.next() % from) { givers[number + 1] = 0 }
    highest[0] = UInt64(givers.count)
    for _ in 0..<400 {
      let giver = Int(random.next() % UInt64(list.targets.count))
      let own = list.ownNumbers(of: list.targets[giver])
      let number = own.next(after: highest[giver])
      #expect(number > highest[giver] && own.contains(number), "seed \(seed)")
      #expect(givers.updateValue(giver, forKey: number) == nil, "seed \(seed): \(number) was given twice")
      highest[giver] = number
      for (index, other) in list.targets.enumerated() where index != giver {
        #expect(!list.ownNumbers(of: other).contains(number), "seed \(seed)")
      }
      // One learns what another has, or not.
      let other = Int(random.next() % UInt64(list.targets.count))
      if random.next() % 3 == 0 { highest[other] = max(highest[other], number) }
    }
  }
}
