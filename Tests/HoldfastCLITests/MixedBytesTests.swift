import HoldfastModel
import HoldfastTestSupport
import Testing

/// Bytes that do not compress lie beside records, in one file, in one frame, and in files of their own: what can be
/// saved is saved, nothing else is compressed, and every way of reading has all of it back.
@Suite(.timeLimit(.minutes(30))) struct MixedBytesTests {
  private static let randomBytes = 3 << 20

  private func rows(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var number = 0
    while bytes.count < count {
      bytes += Array("order \(number);customer \(number % 97);shipped;\(number * 31 % 1000).00 EUR\n".utf8)
      number += 1
    }
    return Array(bytes.prefix(count))
  }

  /// A database with a table of pictures, a picture, a table of records, and many small files of both kinds.
  private func fill(_ source: Path, _ random: inout SeededRandom) {
    let pictures = (0..<8).flatMap { index in rows(10_000 * (index + 1)) + random.bytes(Self.randomBytes / 16) }
    TestFiles.write(pictures, to: source.appending("orders.db"))
    TestFiles.write(random.bytes(Self.randomBytes / 4), to: source.appending("picture"))
    TestFiles.write(rows(800_000), to: source.appending("records"))
    for number in 0..<96 {
      let count = Self.randomBytes / 4 / 96
      TestFiles.write(random.bytes(count), to: source.appending("thumbnail-\(number)"))
      TestFiles.write(rows(count), to: source.appending("thumbnail-\(number).txt"))
    }
  }

  private func age(_ source: Path, _ random: inout SeededRandom) {
    let pages = Self.randomBytes / 4096 / 4 - 2
    for name in ["orders.db", "picture", "records"] {
      for number in 0..<20 {
        let bytes = number % 2 == 0 ? random.bytes(6000) : rows(6000)
        TestFiles.overwrite(source.appending(name), at: Int.random(in: 0..<pages, using: &random) * 4096, with: bytes)
      }
    }
  }

  @Test(arguments: ["deflate", "zstd:3"], [false, true])
  func everyWayOfReadingHasThemBack(_ compression: String, _ isSealed: Bool) throws {
    let sealed = SealedTool()
    let tool = sealed.tool
    func run(_ arguments: String...) throws {
      let result = sealed.run(arguments) { start in
        if isSealed { start.environment["HOLDFAST_IDENTITY_FILE"] = sealed.identity.text }
      }
      try #require(result.exitStatus == 0, "\(arguments): \(result.output)\(result.error)")
    }
    func expectRestored(_ name: String) {
      let restored = TreeDescription(of: tool.directory.appending(name))
      #expect(restored.differences(from: TreeDescription(of: tool.source)) == [], "\(name)")
    }
    if isSealed { sealed.makeRepository() } else { try run("init", "--unsealed") }

    var random = SeededRandom(seed: isSealed ? 101 : 102)
    fill(tool.source, &random)
    try run("backup", "source", "--compression", compression, "--parity", "2%")
    let stored = TestFiles.allFiles(in: tool.repository).reduce(0) { $0 + (TestFiles.read($1)?.count ?? 0) }
    // Parity, digests and the records take the rest; all records together are three times that.
    #expect(stored > Self.randomBytes && stored < Self.randomBytes * 5 / 4, "\(stored)")

    age(tool.source, &random)
    try run("backup", "source", "--compression", compression)
    age(tool.source, &random)
    try run("backup", "source", "--compression", compression)
    try run("verify", "--data")
    try run("restore", "--target", "restored")
    expectRestored("restored")
    try run("merge", "--compression", compression)
    try run("verify", "--data")
    try run("restore", "--target", "of the merged")
    expectRestored("of the merged")

    let key = isSealed ? ["--identity", sealed.identity.text] : []
    let script = Tool.root.appending("Scripts/rescue.py").text
    var start = RunningProcess.Start(["python3", script, "repository", "restore", "latest", "rescued"] + key)
    (start.environment, start.directory) = (tool.environment, tool.directory.path)
    let rescued = RunningProcess(start).wait()
    #expect(rescued.exitStatus == 0, "\(rescued.error)")
    expectRestored("rescued")
  }
}
