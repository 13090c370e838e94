import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What `postmaster.pid` says of a server, whatever somebody has written there.
@Suite struct PostmasterFileTests {
  private let directory = TemporaryDirectory()
  private let files = FileSystem()
  private let source: OpenFile
  private var path: Path { directory.appending("postmaster.pid") }

  init() throws { source = try files.open(directory.path, .directory) }

  private func found(below cluster: Path = .root) throws -> PostmasterFile? {
    try PostmasterFile(below: cluster, in: source, files: files)
  }

  private func parsed(_ text: String) throws -> PostmasterFile? {
    TestFiles.write(text, to: path)
    return try found()
  }

  @Test func theFileOfARunningServer() throws {
    let cluster = try TestCluster()
    let before = Clock.system.now().seconds
    try cluster.start()
    let root = try files.open(cluster.directory.path, .directory)
    let file = try #require(try PostmasterFile(below: Path("data"), in: root, files: files))
    #expect(TestFiles.read(Path("/proc/\(file.process)/comm")) == Array("postgres\n".utf8))
    #expect(try file.port == Int(cluster.psql("SHOW port")))
    #expect(file.socketDirectory == cluster.directory.path.text)
    let after = try Int64(cluster.psql("SELECT floor(extract(epoch FROM pg_postmaster_start_time()))::bigint")) ?? 0
    let started = try #require(file.started)
    #expect(before <= started.seconds && started.seconds <= after && started.nanoseconds == 0)
    #expect(try PostmasterFile(below: .root, in: root, files: files) == nil)
    try cluster.stop()
    #expect(try PostmasterFile(below: Path("data"), in: root, files: files) == nil)
  }

  /// The process is what it takes; whatever else is missing or no number is not said.
  @Test(
    arguments: [
      ("42\n/data\n1795442703\n5432\n/run\n*\n", 42, 1_795_442_703, 5432), ("42", 42, nil, nil), ("42\n", 42, nil, nil),
      // A single-user server.
      ("-42\n/data\n", 42, nil, nil), ("  42\n/data\n  7\n   1\n", 42, 7, 1), ("0\n", 0, nil, nil),
      ("2147483647", 2_147_483_647, nil, nil), ("-2147483647", 2_147_483_647, nil, nil),
      ("1\n\n9223372036854775807\n9223372036854775807", 1, .max, .max), ("1\n\n-9223372036854775808\n-1", 1, .min, -1),
      ("1\n\n9223372036854775808\n9223372036854775808", 1, nil, nil), ("1\n\nnow\nhere", 1, nil, nil),
      ("1\n\n\n5432", 1, nil, 5432), ("1\n\n7 \n5432 ", 1, nil, nil), ("1\n\n1e3\n0x10", 1, nil, nil),
    ] as [(String, Int32, Int64?, Int?)])
  func whatItSays(text: String, process: Int32, started: Int64?, port: Int?) throws {
    let file = try #require(try parsed(text))
    #expect(file.process == process && file.port == port)
    #expect(file.started == started.map { Timestamp(seconds: $0, nanoseconds: 0) })
  }

  @Test(arguments: [
    "", "\n", "\n42", "x", "42x", "4 2", "42 \n", "42\r\n", "0x2a", "4_2", "2147483648", "-2147483648", "--1",
    "\u{0}42", "\u{ff14}\u{ff12}", "9999999999999999999999",
  ])
  func whatDoesNotBeginWithAProcessIsNone(text: String) throws { #expect(try parsed(text) == nil) }

  @Test func whatIsNotAFileIsNone() throws {
    #expect(try found() == nil)
    TestFiles.write("42\n", to: directory.appending("elsewhere"))
    TestFiles.symbolicLink("elsewhere", at: path)
    #expect(try found() == nil)
    TestFiles.remove(path)
    TestFiles.makeFifo(path)
    #expect(try found() == nil)
    TestFiles.remove(path)
    TestFiles.makeDirectory(path)
    #expect(try found() == nil)
    #expect(try found(below: Path("no directory")) == nil)
  }

  /// A server writes some hundred bytes: of a file without an end no more than that is read.
  @Test func aFileThatIsTooLongIsRefused() throws {
    let text = Array("42\n".utf8)
    TestFiles.write(text + [UInt8](repeating: 10, count: 4096 - text.count), to: path)
    #expect(try found()?.process == 42)
    TestFiles.write(text + [UInt8](repeating: 10, count: 4097 - text.count), to: path)
    #expect(throws: SystemError("read", path, code: 27)) { try found() }
    // A hole of a GiB.
    TestFiles.truncate(path, to: 1 << 30)
    let error = #expect(throws: SystemError.self) { try found() }
    #expect(error?.message == "cannot read \(path): File too large")
  }

  @Test func damagedAnywhereItIsAFileOrNone() throws {
    let text = Array("4213\n/srv/data\n1795442703\n5432\n/run/postgresql\n*\n  5432001         7\nready   \n".utf8)
    for count in 0...text.count {
      TestFiles.write(Array(text.prefix(count)), to: path)
      #expect(try (found() == nil) == (count == 0), "\(count) bytes")
    }
    for place in text.indices {
      for bit in 0..<8 {
        var damaged = text
        damaged[place] ^= 1 << UInt8(bit)
        TestFiles.write(damaged, to: path)
        let file = try found()
        #expect((file?.process ?? 0) >= 0)
        if place > 4 { #expect(file?.process == 4213, "bit \(bit) of byte \(place)") }
      }
    }
  }
}
