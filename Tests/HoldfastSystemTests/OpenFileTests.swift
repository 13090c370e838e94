import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Contents: zeros, holes, scratch files, locks.
@Suite struct OpenFileTests {
  private let directory = TemporaryDirectory()
  private let files = FileSystem()

  private func makeFile(_ bytes: [UInt8], name: String = "file") throws -> OpenFile {
    TestFiles.write(bytes, to: directory.appending(name))
    return try files.open(directory.appending(name), .readWrite)
  }

  @Test(arguments: [(0, 10), (1, 1), (4095, 2), (5000, 70_000), (0, 200_000), (199_999, 1)])
  func madeZeroIsZeroAndNothingElse(_ offset: Int, _ count: Int) throws {
    let file = try makeFile([UInt8](repeating: 7, count: 200_000))
    try file.makeZero(at: UInt64(offset), count: UInt64(count))
    let bytes = try #require(TestFiles.read(directory.appending("file")))
    #expect(bytes.count == 200_000)
    #expect(bytes[offset..<offset + count].allSatisfy { $0 == 0 })
    #expect(bytes[..<offset].allSatisfy { $0 == 7 })
    #expect(bytes[(offset + count)...].allSatisfy { $0 == 7 })
  }

  @Test func zerosAreWrittenWhereTheFileSystemHasNoHoles() throws {
    TestFiles.write([UInt8](repeating: 7, count: 200_000), to: directory.appending("file"))
    let probe = FaultProbe(.fail(EOPNOTSUPP), at: 0, of: [.write])
    let file = try FileSystem(probe: probe).open(directory.appending("file"), .readWrite)
    try file.makeZero(at: 5, count: 150_000)
    let bytes = try #require(TestFiles.read(directory.appending("file")))
    #expect(bytes[5..<150_005].allSatisfy { $0 == 0 })
    #expect(bytes[..<5].allSatisfy { $0 == 7 } && bytes[150_005...].allSatisfy { $0 == 7 })
    #expect(probe.count > 1)
  }

  @Test func rangesOfDataHoldEveryByteThatIsNotZero() throws {
    let size = 4 << 20
    let file = try makeFile([])
    try file.truncate(to: UInt64(size))
    let written = [0..<10, 100_000..<100_001, (1 << 20)..<(1 << 20) + 5000, size - 1..<size]
    for range in written {
      try [UInt8](repeating: 9, count: range.count).withUnsafeBytes { try file.write($0, at: UInt64(range.lowerBound)) }
    }
    var found: [Range<UInt64>] = []
    var offset: UInt64 = 0
    while let range = try file.nextData(from: offset, size: UInt64(size)) {
      #expect(range.lowerBound >= offset && !range.isEmpty && range.upperBound <= UInt64(size))
      found.append(range)
      offset = range.upperBound
    }
    for range in written {
      #expect(found.contains { $0.contains(UInt64(range.lowerBound)) && $0.contains(UInt64(range.upperBound - 1)) })
    }
    let covered = found.reduce(0) { $0 + $1.count }
    if try file.status().allocated < UInt64(size) { #expect(covered < size) }
  }

  @Test func afterTheLastDataThereIsNone() throws {
    let file = try makeFile([1])
    try file.truncate(to: 1 << 20)
    #expect(try file.nextData(from: 1 << 20, size: 1 << 20) == nil)
    #expect(try file.nextData(from: 0, size: 0) == nil)
    #expect(try file.nextData(from: 0, size: 1) == 0..<1)
  }

  @Test func aReadIsShortOnlyAtTheEnd() throws {
    let file = try makeFile(Array("abcdef".utf8))
    var buffer = [UInt8](repeating: 0, count: 4)
    #expect(try buffer.withUnsafeMutableBytes { try file.read(into: $0, at: 0) } == 4)
    #expect(try buffer.withUnsafeMutableBytes { try file.read(into: $0, at: 4) } == 2)
    #expect(try buffer.withUnsafeMutableBytes { try file.read(into: $0, at: 6) } == 0)
    #expect(try buffer.withUnsafeMutableBytes { try file.read(into: $0, at: 1 << 40) } == 0)
  }

  // MARK: Locks

  @Test func aLockExcludesOthersUntilItsHolderGoes() throws {
    var holder: OpenFile? = try makeFile([])
    let other = try files.open(directory.appending("file"), .readWrite)
    #expect(try holder?.lock(exclusively: true, wait: false) == true)
    #expect(try other.lock(exclusively: true, wait: false) == false)
    #expect(try other.lock(exclusively: false, wait: false) == false)
    holder = nil
    #expect(try other.lock(exclusively: true, wait: false) == true)
  }

  @Test func sharedLocksExcludeOnlyExclusiveOnes() throws {
    let one = try makeFile([])
    let two = try files.open(directory.appending("file"), .readWrite)
    let three = try files.open(directory.appending("file"), .readWrite)
    #expect(try one.lock(exclusively: false, wait: false))
    #expect(try two.lock(exclusively: false, wait: false))
    #expect(try !three.lock(exclusively: true, wait: false))
  }

  // MARK: Scratch

  @Test func aScratchFileHasNoNameAndGivesBackWhatWasWritten() throws {
    let scratch = try ScratchFile(files: files, directories: [directory.appending("missing"), directory.path])
    var random = SeededRandom(seed: 41)
    let bytes = random.bytes(100_000)
    try bytes[..<10].withUnsafeBytes { try scratch.append($0) }
    try bytes[10...].withUnsafeBytes { try scratch.append($0) }
    #expect(TestFiles.names(in: directory.path) == [])
    #expect(scratch.length == 100_000)
    var read = [UInt8](repeating: 0, count: 50_000)
    try read.withUnsafeMutableBytes { try scratch.read(into: $0, at: 7) }
    #expect(read.elementsEqual(bytes[7..<50_007]))
    #expect(throws: SystemError.endOfFile("scratch file")) {
      try read.withUnsafeMutableBytes { try scratch.read(into: $0, at: 50_001) }
    }
  }

  @Test func theFirstDirectoryThatCannotTakeAScratchFileIsNamed() {
    let missing = directory.appending("missing")
    #expect(throws: SystemError("open", missing, code: ENOENT)) {
      try ScratchFile(files: files, directories: [missing, directory.appending("missing too")])
    }
  }

  @Test func memoryIsReadOnlyWithinItsBounds() throws {
    let memory = MemoryBytes([1, 2, 3])
    var two = [UInt8](repeating: 0, count: 2)
    try two.withUnsafeMutableBytes { try memory.read(into: $0, at: 1) }
    #expect(two == [2, 3])
    for offset in [2, 4, UInt64.max] {
      #expect(throws: SystemError.endOfFile("memory")) {
        try two.withUnsafeMutableBytes { try memory.read(into: $0, at: offset) }
      }
    }
  }
}
