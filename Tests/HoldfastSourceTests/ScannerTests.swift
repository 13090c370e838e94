import Glibc
import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The scan names everything there is, in path order, and goes nowhere else.
@Suite struct ScannerTests {
  private let directory = TemporaryDirectory()

  private struct Scan: Equatable {
    var items: [String] = []
    var problems: [String] = []
    var sockets: [String] = []
    var inPostgreSQL: [String] = []
  }

  private func scan(exclusions: [String] = [], probe: (any OperationProbe)? = nil) throws -> Scan {
    let files = FileSystem(probe: probe)
    let root = try files.open(directory.path, .directory)
    let scanner = Scanner(files: files, root: root, exclusions: exclusions.map { Glob($0) })
    var scan = Scan()
    var paths: [Path] = []
    while let finding = try scanner.next() {
      switch finding {
      case .item(let item):
        paths.append(item.path)
        scan.items.append(item.path.description)
        if item.isInPostgreSQL { scan.inPostgreSQL.append(item.path.description) }
        #expect((item.directory != nil) == (item.status.kind == .directory))
      case .problem(let problem, _): scan.problems.append("\(problem.path): \(problem.reason)")
      case .socket(let path): scan.sockets.append(path.description)
      }
    }
    #expect(paths == paths.sorted(), "items come in path order")
    return scan
  }

  private func make(directories: [String] = [], files: [String] = []) {
    for name in directories { TestFiles.makeDirectory(directory.appending(name)) }
    for name in files { TestFiles.write("x", to: directory.appending(name)) }
  }

  @Test func everythingComesInPathOrder() throws {
    make(directories: ["a", "a/deep", "empty"], files: ["a/z", "a/deep/y", "a.b", "a b", "b", "A"])
    TestFiles.makeFifo(directory.appending("fifo"))
    TestFiles.write("", to: directory.path.appending([0xff]))
    #expect(
      try scan().items == [
        ".", "A", "a", "a/deep", "a/deep/y", "a/z", "a b", "a.b", "b", "empty", "fifo", #"\xff"#,
      ])
  }

  @Test func anEmptySourceIsItsDirectoryAlone() throws {
    #expect(try scan() == Scan(items: ["."]))
  }

  @Test func whatIsExcludedIsNeitherNamedNorEntered() throws {
    make(
      directories: ["cache", "keep", "keep/cache"], files: ["cache/a", "keep/cache/b", "keep/c.tmp", "keep/d", "e.tmp"])
    #expect(try scan(exclusions: ["/cache", "*.tmp"]).items == [".", "keep", "keep/cache", "keep/cache/b", "keep/d"])
    #expect(try scan(exclusions: ["cache", "e.tmp"]).items == [".", "keep", "keep/c.tmp", "keep/d"])
    #expect(try scan(exclusions: ["*"]).items == ["."])
  }

  @Test func linksAreNamedAndNeverFollowed() throws {
    let outside = TemporaryDirectory()
    TestFiles.write("secret", to: outside.appending("secret"))
    make(directories: ["real"], files: ["real/file"])
    TestFiles.symbolicLink("\(outside.path)", at: directory.appending("away"))
    TestFiles.symbolicLink("real", at: directory.appending("near"))
    TestFiles.symbolicLink(".", at: directory.appending("loop"))
    TestFiles.symbolicLink("nowhere", at: directory.appending("dangling"))
    #expect(try scan() == Scan(items: [".", "away", "dangling", "loop", "near", "real", "real/file"]))
  }

  @Test func aSocketIsNamedAndLeftOut() throws {
    let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    try #require(socket >= 0)
    defer { close(socket) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: directory.appending("socket").bytes) }
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(status == 0)
    make(files: ["z"])
    #expect(try scan() == Scan(items: [".", "z"], sockets: ["socket"]))
  }

  /// The root is opened first, then `a`, `b` and `c`.
  @Test func aDirectoryThatCannotBeOpenedIsAProblemAndTheRestIsScanned() throws {
    make(directories: ["a", "b", "c"], files: ["a/1", "b/2", "c/3"])
    let found = try scan(probe: FaultProbe(.fail(EACCES), at: 2, of: [.open]))
    #expect(found == Scan(items: [".", "a", "a/1", "c", "c/3"], problems: ["b: Permission denied"]))
  }

  @Test func aDirectoryThatCannotBeListedIsAProblem() throws {
    make(directories: ["a", "b"], files: ["a/1", "b/2"])
    let found = try scan(probe: FaultProbe(.fail(EIO), at: 1, of: [.list]))
    #expect(found == Scan(items: [".", "b", "b/2"], problems: ["a: Input/output error"]))
  }

  @Test func whatVanishesAfterItWasListedIsNoProblem() throws {
    make(files: ["a", "b"])
    let found = try scan(probe: FaultProbe(.fail(ENOENT), at: 1, of: [.status]))
    #expect(found == Scan(items: [".", "b"]))
  }

  @Test func aSourceThatCannotBeListedIsAnError() {
    #expect(throws: SystemError("list", directory.path, code: EACCES)) {
      try scan(probe: FaultProbe(.fail(EACCES), at: 0, of: [.list]))
    }
  }

  /// Deeper than any path that could be restored: named as a problem, not followed for ever.
  @Test func aPathThatIsTooLongIsAProblem() throws {
    let files = FileSystem()
    let name = Path(String(repeating: "d", count: 255))
    var levels = [try files.open(directory.path, .directory)]
    for _ in 0..<17 {
      guard let last = levels.last else { break }
      try files.makeDirectory(name, in: last)
      levels.append(try files.open(name, in: last, .directory))
    }
    // Remove it from the inside out: as a whole path it is too long even to be removed.
    defer { for level in levels.dropLast().reversed() { try? files.removeDirectory(name, in: level) } }
    let found = try scan()
    #expect(found.items.count == 17)
    #expect(found.problems.count == 1)
    #expect(found.problems.first?.hasSuffix(": the name is longer than 255 bytes, or the path than 4095") == true)
  }

  @Test func filesBelowADataDirectoryOfPostgreSQLAreKnownAsSuch() throws {
    make(directories: ["pg", "pg/base", "other"], files: ["pg/PG_VERSION", "pg/base/1", "other/2", "3"])
    #expect(try scan().inPostgreSQL == ["pg/PG_VERSION", "pg/base", "pg/base/1"])
  }
}
