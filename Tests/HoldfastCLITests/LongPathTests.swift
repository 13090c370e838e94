import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Paths within a source may have 4,095 bytes, wherever the source lies, and whatever they lead to: no absolute path is
/// ever made of them.
@Suite struct LongPathTests {
  private let tool = Tool()
  private let files = FileSystem()

  private func descend(_ root: Path, _ nameBytes: Int, making: Bool) throws -> OpenFile {
    var directory = try files.open(root, .directory)
    let name = Path(bytes: [UInt8](repeating: UInt8(ascii: "n"), count: nameBytes))
    for _ in 0..<(4090 / (nameBytes + 1)) {
      if making { try files.makeDirectory(name, in: directory) }
      directory = try files.open(name, in: directory, .directory)
    }
    return directory
  }

  /// As few names as possible, and as many.
  @Test(arguments: [200, 1]) func whatLiesAtTheEndOfTheLongestPathComesBack(nameBytes: Int) throws {
    let end = try descend(tool.source, nameBytes, making: true)
    let file = try files.open(Path("f"), in: end, .create)
    try Array("far".utf8).withUnsafeBytes { try file.write($0, at: 0) }
    try file.setExtendedAttribute(ExtendedAttribute(name: Array("user.a".utf8), value: [1]))
    try files.makeHardLink(Path("h"), in: end, to: Path("f"), in: end)
    try files.makeSymbolicLink(Path("s"), in: end, target: Array("f".utf8))
    try files.makeFifo(Path("p"), in: end)
    defer {
      for name in ["source", "restored"] { tool.other("rm", "-rf", tool.directory.appending(name).text) }
    }
    tool.run("init", "--unsealed")
    for arguments in [
      ["backup", "source"], ["restore", "--target", "restored"], ["restore", "--target", "restored", "--delta"],
    ] {
      let result = RunningProcess(tool.start(arguments)).wait()
      #expect(result.exitStatus == 0, "\(arguments): \(result.error.prefix(500))")
    }
    let restored = try descend(tool.directory.appending("restored"), nameBytes, making: false)
    let status = try files.status(of: Path("f"), in: restored)
    #expect(status.linkCount == 2)
    #expect(try files.status(of: Path("h"), in: restored).isSameFile(as: status))
    #expect(try files.readSymbolicLink(Path("s"), in: restored) == Array("f".utf8))
    #expect(try files.status(of: Path("p"), in: restored).kind == .fifo)
    #expect(try files.open(Path("f"), in: restored, .read).extendedAttributes().count == 1)
  }
}
