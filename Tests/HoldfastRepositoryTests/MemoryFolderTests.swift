import HoldfastCodec
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What this machine remembers is read as it was written, or called damaged; and nothing else is touched.
@Suite struct MemoryFolderTests {
  private let directory = TemporaryDirectory()
  private let files = FileSystem()
  private static let file = MemoryFile.repository(Sample.repository(1))
  private var folder: Path { directory.appending("memory") }
  private var path: Path { folder.appending(Self.file.name) }

  private struct Value: Codable, Equatable {
    var name: String
    var number: Int
  }

  private static let value = Value(name: "a/b", number: 7)

  private func made() throws -> MemoryFolder { try MemoryFolder(making: folder, files: files) }

  private func read(_ isSound: (Value) -> Bool = { _ in true }) throws -> Value? {
    try made().value(Value.self, of: Self.file, about: "the shop's repository", isSound)
  }

  private func refusal(_ isSound: (Value) -> Bool = { _ in true }) -> String {
    do {
      _ = try read(isSound)
      return "none"
    } catch {
      return "\(error)"
    }
  }

  private var damaged: String {
    "\(path), what this machine remembers of the shop's repository, is damaged"
      + "\nHINT: Compare `holdfast key list` with what you have written down, then run `holdfast key forget`."
  }

  // MARK: Names

  @Test func filesHaveTheNamesThatAreDocumented() {
    let id = Sample.repository(1)
    #expect(MemoryFile.repository(id).name == "repository-\(String(repeating: "01", count: 16)).json")
    #expect(MemoryFile.repository(id, kind: "removed").name == "repository-\(id)-removed.json")
    let digest = Hasher.digest(Array("/srv/b".utf8)).description.prefix(32)
    #expect(MemoryFile.location("/srv/b").name == "\(digest).json")
    #expect(MemoryFile.location("/srv/b", kind: "wal-1").name == "\(digest)-wal-1.json")
    // Whatever a location contains, the name is one of a file.
    for text in ["", "../..", "/", "a\0b", String(repeating: "x", count: 10_000)] {
      #expect(MemoryFile.location(text).name.wholeMatch(of: /[0-9a-f]{32}\.json/) != nil)
    }
  }

  // MARK: Values

  @Test func whatIsWrittenIsReadBack() throws {
    #expect(try MemoryFolder(folder, files: files) == nil, "reading makes no directory")
    #expect(try read() == nil)
    try made().replace(Self.file, by: Self.value)
    #expect(try read() == Self.value)
    #expect(TestFiles.read(path) == Array(#"{"name":"a/b","number":7}"#.utf8))
    #expect(TestFiles.permissions(path) == 0o600 && TestFiles.permissions(folder) == 0o700)
    #expect(TestFiles.names(in: folder) == [Self.file.name])
    #expect(try made().remove(Self.file))
    #expect(try !made().remove(Self.file))
    #expect(try read() == nil)
  }

  @Test func aValueThatDoesNotFitTheFileIsDamage() throws {
    try made().replace(Self.file, by: Self.value)
    #expect(refusal { $0.number == 8 } == damaged)
    #expect(refusal { $0.number == 7 } == "none")
    #expect(try made().valueIfReadable(Value.self, of: Self.file) == Self.value)
  }

  @Test func damagedAnywhereItIsDamageOrAValue() throws {
    try made().replace(Self.file, by: Self.value)
    let bytes = try #require(TestFiles.read(path))
    for count in 0..<bytes.count {
      TestFiles.write(Array(bytes.prefix(count)), to: path)
      #expect(refusal() == damaged, "\(count) bytes")
      #expect(try made().valueIfReadable(Value.self, of: Self.file) == nil)
    }
    for place in bytes.indices {
      for bit in 0..<8 {
        var other = bytes
        other[place] ^= 1 << UInt8(bit)
        TestFiles.write(other, to: path)
        let found = try made().valueIfReadable(Value.self, of: Self.file)
        #expect(refusal() == (found == nil ? damaged : "none"), "bit \(bit) of byte \(place)")
        #expect(found != Self.value, "bit \(bit) of byte \(place)")
      }
    }
  }

  @Test(arguments: [
    "", "{}", "null", "[]", "7", #"{"name":"a"}"#, #"{"name":1,"number":7}"#, #"{"name":"a","number":9e99}"#,
    #"{"name":"a","number":18446744073709551616}"#, #"{"name":"\ud800","number":7}"#, "\u{feff}", "\0",
  ])
  func whatIsNotTheValueIsDamage(text: String) throws {
    _ = try made()
    TestFiles.write(text, to: path)
    #expect(refusal() == damaged)
  }

  /// As deep as a parser may be made to go.
  @Test(arguments: ["[", #"{"name":"#, "[{\"a\":"]) func whatIsNestedWithoutAnEndIsDamage(text: String) throws {
    _ = try made()
    TestFiles.write(String(repeating: text, count: 500_000), to: path)
    #expect(refusal() == damaged)
  }

  /// No more than 8 MiB is read, however long the file is.
  @Test func aFileThatIsTooLongIsRefused() throws {
    _ = try made()
    let text = Array(#"{"name":"a/b","number":7}"#.utf8)
    TestFiles.write(text + [UInt8](repeating: 0x20, count: (8 << 20) - text.count), to: path)
    #expect(try read() == Self.value)
    TestFiles.truncate(path, to: 1 << 40)
    #expect(refusal() == "cannot read \(path): File too large")
    #expect(try made().valueIfReadable(Value.self, of: Self.file) == nil)
  }

  @Test func whatIsNotAFileIsNotRead() throws {
    _ = try made()
    TestFiles.write(#"{"name":"a/b","number":7}"#, to: folder.appending("elsewhere"))
    TestFiles.symbolicLink("elsewhere", at: path)
    #expect(throws: SystemError.self) { try read() }
    TestFiles.remove(path)
    TestFiles.makeDirectory(path)
    #expect(throws: SystemError.self) { try read() }
    #expect(try made().valueIfReadable(Value.self, of: Self.file) == nil)
  }

  @Test func aFolderThatOthersMayChangeIsNotUsed() throws {
    _ = try made()
    TestFiles.setMode(folder, 0o777)
    let error = #expect(throws: OwnDirectoryError.self) { try made() }
    #expect(error?.message == "others may write in \(folder) (mode 0777)")
    #expect(throws: OwnDirectoryError.self) { try MemoryFolder(folder, files: files) }
  }

  @Test func aMachineThatRemembersNothingSaysSo() {
    #expect(throws: EngineError(.machine, "there is no directory for it", hint: nil)) {
      try MemoryFolder(making: nil, files: files)
    }
  }

  /// A disk that is full leaves the old value.
  @Test func aReplacementThatFailsLeavesTheOldValue() throws {
    try made().replace(Self.file, by: Self.value)
    var index = 0
    while true {
      let probe = FaultProbe(.fail(28), at: index)
      let folder = try MemoryFolder(making: folder, files: FileSystem(probe: probe))
      let result = Result { try folder.replace(Self.file, by: Value(name: "new", number: index)) }
      guard probe.count > index else { break }
      #expect(throws: SystemError.self, "operation \(index)") { try result.get() }
      let left = try read()
      #expect(left == Self.value || left == Value(name: "new", number: index), "operation \(index)")
      try made().replace(Self.file, by: Self.value)
      index += 1
    }
    #expect(index > 2)
  }

  // MARK: Kinds

  @Test func kindsAreRemovedAndNothingElse() throws {
    let folder = try made()
    let id = Sample.repository(1)
    let others = [MemoryFile.repository(Sample.repository(2), kind: "removed"), .location("x", kind: "removed")]
    for file in others + [Self.file, .repository(id, kind: "removed"), .repository(id, kind: "proved")] {
      try folder.replace(file, by: Self.value)
    }
    try folder.removeKinds(of: Self.file, beginningWith: "rem")
    let left = Set(others.map(\.name) + [Self.file.name])
    #expect(Set(TestFiles.names(in: self.folder)) == left.union([MemoryFile.repository(id, kind: "proved").name]))
    try folder.removeKinds(of: Self.file)
    #expect(Set(TestFiles.names(in: self.folder)) == left)
  }

  /// What is no value, or only the beginning of one, goes too.
  @Test func kindsThatHoldAValueToKeepStay() throws {
    let folder = try made()
    for number in 1...3 {
      try folder.replace(.location("x", kind: "wal-\(number)"), by: Value(name: "n", number: number))
    }
    let stem = MemoryFile.location("x").name.dropLast(5)
    for (name, text) in [
      ("wal-4.json", "{"), ("wal-5", #"{"name":"n","number":2}"#), ("wal-6.json.new", ""), ("proved.json", "{"),
    ] { TestFiles.write(text, to: self.folder.appending("\(stem)-\(name)")) }
    try folder.removeKinds(of: .location("x"), beginningWith: "wal-") { (value: Value) in value.number == 2 }
    #expect(Set(TestFiles.names(in: self.folder)) == ["\(stem)-wal-2.json", "\(stem)-proved.json"])
  }

  @Test func oneRunAtATimeChangesIt() throws {
    let isFree = {
      let directory = try files.open(folder, .directory)
      return try directory.lock(exclusively: true, wait: false)
    }
    var isFreeMeanwhile = true
    try made().whileLocked { _ in isFreeMeanwhile = try isFree() }
    #expect(!isFreeMeanwhile)
    #expect(try isFree())
    #expect(throws: CancellationError.self) { try made().whileLocked { _ in throw CancellationError() } }
    #expect(try isFree(), "also when a change fails")
  }
}
