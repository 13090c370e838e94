import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What the file of the catalog cache gives is what was kept, whatever has become of the file. What it cannot give is
/// read from the store.
@Suite struct CatalogFileTests {
  private let directory = TemporaryDirectory()
  private let files = FileSystem()
  private static let repository = Sample.repository(1)
  private var path: Path { directory.appending("catalog-\(Self.repository)") }

  /// As another run finds it.
  private func opened(_ bytesMax: UInt64 = 1 << 20) -> CatalogFile {
    CatalogFile(of: Self.repository, in: directory.path, files: files, bytesMax: bytesMax)
  }

  private struct Object {
    let key: String
    var tag: String?
    let bytes: [UInt8]
  }

  private static let objects = [
    Object(key: "sources/a/0000000001/manifest.json", tag: "t", bytes: Array("the first".utf8)),
    Object(key: "sources/a/0000000001/body", bytes: [1, 2, 3]), Object(key: "sources/b/x.json", bytes: []),
  ]

  private func records(_ objects: [Object]) -> [CatalogRecord] {
    objects.compactMap { CatalogRecord(key: $0.key, tag: $0.tag, bytes: $0.bytes) }
  }

  private func bytes(_ object: Object, in file: CatalogFile) throws -> [UInt8]? {
    try file.object(object.key, length: UInt64(object.bytes.count), tag: object.tag)?.contents(max: 1 << 20)
  }

  /// The file with all three, and where each record ends.
  private func kept() throws -> (bytes: [UInt8], ends: [Int]) {
    opened().keep(records(Self.objects))
    let bytes = try #require(TestFiles.read(path))
    var end = 24
    let ends = records(Self.objects).map { record in
      end += record.serialized(for: Self.repository).count
      return end
    }
    try #require(ends.last == bytes.count)
    return (bytes, ends)
  }

  /// Keeps all three. A process that another test is starting has the locks of this one until it executes its program;
  /// while it does, nothing is kept.
  private func keep(in file: CatalogFile, until isKept: () -> Bool) async {
    _ = await Patience.waits(.seconds(10)) {
      file.keep(records(Self.objects))
      return isKept()
    }
  }

  private func put(_ bytes: [UInt8]) {
    TestFiles.truncate(path, to: 0)
    TestFiles.overwrite(path, at: 0, with: bytes)
  }

  // MARK: Whole

  @Test func whatIsKeptIsGivenToTheNextRun() throws {
    let bytes = try kept().bytes
    #expect(bytes.starts(with: Array("HFCATLG1".utf8) + Self.repository.bytes))
    #expect(TestFiles.permissions(path) == 0o600)
    let file = opened()
    #expect(Set(file.keys) == Set(Self.objects.map(\.key)))
    for object in Self.objects {
      #expect(try self.bytes(object, in: file) == object.bytes)
      #expect(file.has(object.key, length: UInt64(object.bytes.count), tag: object.tag))
      // Another length or tag is another object.
      #expect(file.object(object.key, length: UInt64(object.bytes.count) + 1, tag: object.tag) == nil)
      #expect(file.object(object.key, length: UInt64(object.bytes.count), tag: "other") == nil)
      #expect(!file.has(object.key, length: .max, tag: object.tag))
    }
    #expect(file.object("sources/c/x.json", length: 0, tag: nil) == nil)
  }

  @Test func nothingIsKeptTwice() throws {
    let before = try kept().bytes
    opened().keep(records(Self.objects))
    #expect(TestFiles.read(path) == before)
    // With another tag it is another object, and the newer one counts.
    var object = Self.objects[0]
    object.tag = "u"
    opened().keep(records([object]))
    #expect(try bytes(object, in: opened()) == object.bytes)
    #expect(try bytes(Self.objects[0], in: opened()) == nil)
  }

  /// A run proves that the store has what it wrote, so it reads that there.
  @Test func whatARunHasWrittenItDoesNotGetFromHere() throws {
    let file = opened()
    file.keep(records(Self.objects), areOwn: true)
    for object in Self.objects {
      #expect(try bytes(object, in: file) == nil)
      #expect(!file.has(object.key, length: UInt64(object.bytes.count), tag: object.tag))
      #expect(try bytes(object, in: opened()) == object.bytes)
    }
  }

  @Test func whatIsDroppedIsGone() throws {
    _ = try kept()
    opened().drop([Self.objects[1].key])
    let file = opened()
    #expect(Set(file.keys) == Set([Self.objects[0].key, Self.objects[2].key]))
    let left = records([Self.objects[0], Self.objects[2]]).reduce(24) {
      $0 + $1.serialized(for: Self.repository).count
    }
    #expect(try #require(TestFiles.status(path)).size == left, "neither key nor bytes are left")
    #expect(TestFiles.names(in: directory.path).count == 1)
  }

  /// Manifests stay before bodies, and what was kept last before the rest; a file never stays longer than allowed.
  @Test func theMostUsefulStays() throws {
    let manifests = (0..<4).map {
      Object(key: "sources/a/\($0)/manifest.json", bytes: [UInt8](repeating: UInt8($0), count: 100))
    }
    let bodies = (0..<8).map { Object(key: "sources/a/\($0)/body", bytes: [UInt8](repeating: UInt8($0), count: 100)) }
    for object in manifests + bodies { opened(1500).keep(records([object])) }
    #expect(try #require(TestFiles.status(path)).size <= 1500)
    let left = Set(opened(1500).keys)
    #expect(manifests.allSatisfy { left.contains($0.key) })
    #expect(left.contains(bodies[7].key) && !left.contains(bodies[0].key))
  }

  // MARK: Damaged

  /// As a killed run or a full disk leaves it: what is whole is of use, and the next run continues.
  @Test func cutOffAnywhereItGivesWhatIsWhole() async throws {
    let (whole, ends) = try kept()
    for count in 0...whole.count {
      put(Array(whole.prefix(count)))
      let file = opened()
      let complete = ends.count { $0 <= count }
      #expect(file.keys.count == complete, "\(count) bytes")
      for (index, object) in Self.objects.enumerated() {
        #expect(try bytes(object, in: file) == (index < complete ? object.bytes : nil), "\(count) bytes")
      }
      await keep(in: file) { TestFiles.read(path) == whole }
      #expect(TestFiles.read(path) == whole, "\(count) bytes")
    }
  }

  /// No bit can make it give other bytes.
  @Test func damagedAnywhereItGivesWhatWasKeptOrNothing() async throws {
    let (whole, ends) = try kept()
    for place in whole.indices {
      for bit in [0, 3, 7] {
        var damaged = whole
        damaged[place] ^= 1 << UInt8(bit)
        put(damaged)
        let file = opened()
        let sound = place < 24 ? 0 : ends.count { $0 <= place }
        for (index, object) in Self.objects.enumerated() {
          let found = try bytes(object, in: file)
          #expect(found == nil || found == object.bytes, "bit \(bit) of byte \(place)")
          if index < sound { #expect(found == object.bytes, "bit \(bit) of byte \(place)") }
          if index == sound || place < 24 { #expect(found == nil, "bit \(bit) of byte \(place)") }
          // What turns out to be damaged is not said to be there any more.
          let length = UInt64(object.bytes.count)
          #expect(file.has(object.key, length: length, tag: object.tag) == (found != nil))
        }
        await keep(in: file) {
          let next = opened()
          return Self.objects.allSatisfy { (try? bytes($0, in: next)) == $0.bytes }
        }
        let next = opened()
        for object in Self.objects { #expect(try bytes(object, in: next) == object.bytes, "byte \(place)") }
      }
    }
  }

  /// Of another repository, even if somebody renames it.
  @Test func theFileOfAnotherRepositoryIsNone() throws {
    let other = CatalogFile(of: Sample.repository(2), in: directory.path, files: files, bytesMax: 1 << 20)
    other.keep(records(Self.objects))
    TestFiles.rename(directory.appending("catalog-\(Sample.repository(2))"), to: path)
    #expect(opened().keys.isEmpty)
    // Nor are its records, behind the right header.
    let foreign = try #require(TestFiles.read(path))
    put(Array("HFCATLG1".utf8) + Self.repository.bytes + foreign.dropFirst(24))
    for object in Self.objects { #expect(try bytes(object, in: opened()) == nil) }
  }

  @Test func aNameThatIsNoTextEndsIt() throws {
    let (whole, ends) = try kept()
    for place in [ends[0] + 40, 24 + 40] {
      var damaged = whole
      damaged[place] = 0xff
      put(damaged)
      #expect(opened().keys.count == (place == 64 ? 0 : 1))
    }
  }

  /// No writer leaves a file that is so long: the names of what is in it would take memory without a limit.
  @Test func aFileThatIsMuchTooLongIsMadeAnew() throws {
    let whole = try kept().bytes
    let limit = UInt64(whole.count)
    TestFiles.truncate(path, to: whole.count * 2 + 1)
    #expect(opened(limit).keys.count == 3)
    TestFiles.truncate(path, to: whole.count * 2 + 2)
    #expect(opened(limit).keys.isEmpty)
    opened(limit).keep(records([Self.objects[0]]))
    #expect(try #require(TestFiles.status(path)).size < whole.count)
    #expect(opened(limit).keys == [Self.objects[0].key])
  }

  /// A hole where the objects were.
  @Test func zerosAreNoRecords() throws {
    let whole = try kept().bytes
    put(Array(whole.prefix(24)) + [UInt8](repeating: 0, count: 1 << 20))
    let file = opened()
    #expect(file.keys.isEmpty)
    file.keep(records(Self.objects))
    #expect(TestFiles.read(path) == whole)
  }

  // MARK: Others

  @Test func whileAnotherRunWritesNothingIsChanged() throws {
    let before = try kept().bytes
    let holder = try files.open(path, .readWrite)
    #expect(try holder.lock(exclusively: true, wait: false))
    let file = opened()
    file.drop([Self.objects[0].key])
    file.keep(records([Object(key: "sources/c/x.json", bytes: [1])]))
    #expect(TestFiles.read(path) == before)
    #expect(try bytes(Self.objects[0], in: file) == Self.objects[0].bytes)
    withExtendedLifetime(holder) {}
  }

  /// A read that fails, a disk that is full: the run does without it, and the next one too or better.
  @Test func anyFailureCostsTheCacheAlone() throws {
    let before = try kept().bytes
    let more = Object(key: "sources/c/x.json", bytes: [4, 5])
    var index = 0
    while true {
      put(before)
      let probe = FaultProbe(.fail(28), at: index, of: Set(Operation.allCases))
      let file = CatalogFile(
        of: Self.repository, in: directory.path, files: FileSystem(probe: probe), bytesMax: 1 << 20)
      file.keep(records([more]))
      file.drop([Self.objects[0].key])
      for object in Self.objects {
        let found = try? bytes(object, in: file)
        #expect(found == nil || found == object.bytes, "operation \(index)")
      }
      let next = opened()
      next.keep(records(Self.objects + [more]))
      for object in Self.objects + [more] {
        #expect(try bytes(object, in: opened()) == object.bytes, "operation \(index)")
      }
      if probe.count <= index { break }
      index += 1
    }
    #expect(index > 20)
  }

  @Test func withoutADirectoryNothingIsKept() throws {
    TestFiles.write("a file", to: directory.appending("file"))
    let file = CatalogFile(
      of: Self.repository, in: directory.appending("file/caches"), files: files, bytesMax: 1 << 20)
    file.keep(records(Self.objects))
    #expect(file.keys.isEmpty)
  }
}
