import Foundation
import HoldfastCodec
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Whatever number somebody has written into a journal or an envelope, the commands that show it end as commands do,
/// and not by a signal.
@Suite struct HostileNumberTests {
  private static let extremes = [
    "-1", "0", "1", "1000", "4611686018427387904", "9223372036854775807", "18446744073709551615", "1e300",
  ]

  /// `text` with one number after the other exchanged: those behind a colon, which is all that the line of an envelope
  /// or a journal has.
  private func variants(of text: String) -> [String] {
    text.matches(of: /:(\d+)/).flatMap { match in
      Self.extremes.map { text.replacingCharacters(in: match.range, with: ":" + $0) }
    }
  }

  private static let run =
    #"{"began":1760000000000,"command":"restore","ended":1760000001000,"host":"h","incomplete":0,"provedBytes":5,"readBytes":6,"restoredBytes":7,"sequence":8,"share":1,"begin":0,"status":0,"storedBytes":9,"took":1,"warnings":0}"#

  private static func makeDirectories(_ path: Path) {
    if let parent = path.parent, !TestFiles.exists(parent) { makeDirectories(parent) }
    TestFiles.makeDirectory(path)
  }

  /// The journal of one run, its line as it is (format.md, section 13).
  private static func journal(_ line: String) -> [UInt8] {
    let plain = Array(line.utf8) + [UInt8(ascii: "\n")]
    let count = withUnsafeBytes(of: UInt32(plain.count).littleEndian) { Array($0) }
    return Array("HFJOURNL".utf8) + [1, 0, 0, 0] + count + Hasher.digest(plain).bytes + plain
  }

  /// One source for each journal and each envelope.
  private func shop() throws -> Tool {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source", "--name", "source")
    let sources = tool.repository.appending("sources")
    let folder = sources.appending("source/0000000001")
    let manifest = try #require(TestFiles.read(folder.appending("manifest.json")))
    let line = String(decoding: manifest.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    for (number, variant) in variants(of: line).enumerated() {
      let name = "envelope-\(number)"
      let copy = sources.appending(name).appending("0000000001")
      Self.makeDirectories(copy)
      let text = variant.replacing(#""name":"source""#, with: #""name":"\#(name)""#) + "\n"
      TestFiles.write(text + "\"\(Hasher.digest(Array(text.utf8)))\"\n", to: copy.appending("manifest.json"))
    }
    for command in ["restore", "verify"] {
      let text = Self.run.replacing("restore\"", with: command + "\"")
      for (number, variant) in variants(of: text).enumerated() {
        let directory = tool.repository.appending("journal").appending("\(command)-\(number)")
        Self.makeDirectories(directory)
        TestFiles.write(Self.journal(variant), to: directory.appending("0000000001"))
      }
    }
    return tool
  }

  @Test func noNumberEndsACommandByASignal() throws {
    let tool = try shop()
    let commands = [
      ["status"], ["status", "--json"], ["status", "--nagios"], ["status", "--prometheus", "metrics"],
      ["status", "--max-age", "1h", "--max-chain", "3", "--prove-within", "30d"], ["list"], ["list", "--json"],
      ["verify"], ["verify", "--json"], ["prune", "--keep-last", "1", "--dry-run"],
      ["prune", "--keep-last", "1", "--dry-run", "--json"],
    ]
    for command in commands {
      let result = RunningProcess(tool.start(command)).wait()
      #expect(
        [0, 1, 2, 3, 4, 20, 21].contains(result.exitStatus),
        "\(command): \(result.exitStatus) \(result.error.suffix(300))")
    }
  }

  /// Each envelope that can be read, with the largest number that it may hold.
  @Test func noNumberEndsShowByASignal() throws {
    let tool = try shop()
    let manifest = TestFiles.read(tool.repository.appending("sources/source/0000000001/manifest.json")) ?? []
    let text = String(decoding: manifest, as: UTF8.self)
    let id = try #require(text.firstMatch(of: /"snapshot":"([0-9a-f]{32})"/)?.1)
    let largest = try #require(Self.extremes.firstIndex(of: "4611686018427387904"))
    let names = TestFiles.names(in: tool.repository.appending("sources")).filter { name in
      name.split(separator: "-").last.flatMap { Int($0) }.map { $0 % Self.extremes.count == largest } ?? false
    }
    #expect(names.count > 15)
    var shown = 0
    for name in names {
      for form in [[], ["--json"], ["--files"]] where form.isEmpty || shown % 4 == 0 {
        let result = RunningProcess(tool.start(["show", String(id), "--name", name] + form)).wait()
        #expect(
          [0, 1, 2, 3, 4, 20, 21].contains(result.exitStatus),
          "\(name) \(form): \(result.exitStatus) \(result.error.suffix(300))")
        if form.isEmpty { shown += 1 }
      }
    }
  }

  /// As somebody without any key can write it: restored 2⁶² bytes in a millisecond.
  @Test func aRestoreOfUnheardSpeedIsShown() throws {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source", "--name", "source")
    let fast = Self.run.replacing(#""restoredBytes":7"#, with: #""restoredBytes":4611686018427387904"#)
    TestFiles.write(Self.journal(fast), to: tool.repository.appending("journal/source/0000000009"))
    let result = tool.run("status")
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(result.output.contains("about 0.0 s at 16.0 EiB/s, as in the last restore"), "\(result.output)")
  }
}
