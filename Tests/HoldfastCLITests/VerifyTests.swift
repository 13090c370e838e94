import Foundation
import FoundationXML
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Verify finds what is wrong, says what it costs, and ends with a status that monitoring can read.
@Suite struct VerifyTests {
  private func shop() -> Tool {
    let tool = Tool()
    var random = SeededRandom(seed: 51)
    TestFiles.write(random.bytes(600_000), to: tool.source.appending("orders.db"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    return tool
  }

  private func archive(_ tool: Tool) throws -> Path {
    try #require(
      TestFiles.allFiles(in: tool.repository.appending("sources")).first { $0.text.contains("/archive-") })
  }

  private func flip(_ path: Path, at offset: Int) throws {
    let bytes = try #require(TestFiles.read(path))
    TestFiles.overwrite(path, at: offset, with: [bytes[offset] ^ 1])
  }

  private func parse(_ path: Path) throws -> XMLElement {
    let document = try XMLDocument(data: Data(#require(TestFiles.read(path))))
    return try #require(document.rootElement())
  }

  @Test func aFlippedByteIsFoundAndTheFileNamed() throws {
    let tool = shop()
    try flip(archive(tool), at: 300_000)
    #expect(tool.run("verify").exitStatus == 0, "without --data contents are not read")
    let result = tool.run("verify", "--data")
    #expect(result.exitStatus == 21)
    #expect(
      tool.plain(result.error).replacing("archive-LONGID", with: "ARCHIVE") == """
        holdfast: DAMAGED: ID (source, number 1): sources/source/0000000001/ARCHIVE is damaged: frame 1 does not have its digest
        holdfast:  loses data: orders.db
        HINT: No snapshot is sound. Take a new one at once: `holdfast backup SOURCE --full`.

        """)
    #expect(tool.plain(result.output).hasPrefix("0 of 1 snapshot sound; "))
    let json = tool.run("verify", "--data", "--json")
    #expect(json.exitStatus == 21)
    let report = try #require(try JSONSerialization.jsonObject(with: Data(json.outputBytes)) as? [String: Any])
    #expect(report["sound"] as? Bool == false)
    let snapshot = try #require((report["snapshots"] as? [[String: Any]])?.first)
    #expect(snapshot["damagedFiles"] as? [String] == ["orders.db"])
    #expect((snapshot["findings"] as? [String])?.count == 1)
  }

  @Test func aSnapshotThatIsStillSoundIsNamed() throws {
    let tool = shop()
    try flip(archive(tool), at: 300_000)
    tool.run("backup", "source", "--full")
    let result = tool.run("verify", "--data")
    #expect(result.exitStatus == 21)
    #expect(
      tool.plain(result.error).hasSuffix(
        "HINT: 1 snapshot is sound, the newest ID. Take a new full: `holdfast backup SOURCE --full`.\n"))
    #expect(tool.run("verify", "latest", "--data", "--quiet").exitStatus == 0)
  }

  @Test func damageEndsARestoreAndLeavesTheTargetEmpty() throws {
    // Many files in many frames: workers are still making some when the first frame turns out to be damaged.
    let tool = Tool()
    var random = SeededRandom(seed: 52)
    for number in 100..<400 {
      TestFiles.write(random.bytes(16_384), to: tool.source.appending("invoice-\(number)"))
    }
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    try flip(archive(tool), at: 1000)
    let result = tool.run("restore", "--target", "restored")
    #expect(result.exitStatus == 21)
    #expect(result.output == "")
    #expect(
      tool.plain(result.error).replacing("archive-LONGID", with: "ARCHIVE") == """
        holdfast: sources/source/0000000001/ARCHIVE is damaged: a page in frame 0 does not have its digest
        HINT: Run `holdfast verify --data` to see everything that is damaged and what can still be restored.

        """)
    #expect(TestFiles.names(in: tool.directory.appending("restored")) == [])
    for _ in 0..<8 {
      #expect(tool.run("restore", "--target", "restored").exitStatus == 21)
      #expect(TestFiles.names(in: tool.directory.appending("restored")) == [])
    }
    #expect(tool.run("cat", "latest", "invoice-100").exitStatus == 21)
  }

  @Test func aMissingArchiveIsFoundWithoutReading() throws {
    let tool = shop()
    TestFiles.remove(try archive(tool))
    let result = tool.run("verify")
    #expect(result.exitStatus == 21)
    #expect(
      tool.plain(result.error).contains(
        /holdfast: DAMAGED: ID \(source, number 1\): sources\/source\/0000000001\/archive-LONGID is damaged: it is missing\n/
      ), "\(result.error)")
  }

  @Test func theJUnitFileIsWellFormed() throws {
    let tool = shop()
    let sound = tool.run("verify", "--data", "--junit", "sound.xml")
    #expect(sound.exitStatus == 0)
    let good = try parse(tool.directory.appending("sound.xml"))
    #expect(good.name == "testsuite")
    #expect(good.attribute(forName: "tests")?.stringValue == "1")
    #expect(good.attribute(forName: "failures")?.stringValue == "0")
    try flip(archive(tool), at: 300_000)
    #expect(tool.run("verify", "--data", "--junit", "damaged.xml", "--quiet").exitStatus == 21)
    let bad = try parse(tool.directory.appending("damaged.xml"))
    #expect(bad.attribute(forName: "failures")?.stringValue == "1")
    let test = try #require(bad.elements(forName: "testcase").first)
    #expect(test.attribute(forName: "classname")?.stringValue == "source")
    let failure = try #require(test.elements(forName: "failure").first)
    #expect(failure.attribute(forName: "message")?.stringValue?.contains("frame 1 does not have its digest") == true)
  }

  /// CI would take the file of yesterday for that of today.
  @Test func aVerifyThatCannotBeginReplacesTheJUnitFile() throws {
    let tool = shop()
    TestFiles.write("yesterday", to: tool.directory.appending("report.xml"))
    #expect(tool.run("verify", "--junit", "report.xml", "-r", "<gone>").exitStatus == 10)
    let report = try parse(tool.directory.appending("report.xml"))
    #expect(report.attribute(forName: "errors")?.stringValue == "1")
    let error = try #require(report.elements(forName: "testcase").first?.elements(forName: "error").first)
    #expect(error.attribute(forName: "message")?.stringValue?.hasPrefix("there is no repository in ") == true)
  }

  @Test func aJUnitFileThatCannotBeWrittenHidesNoDamage() throws {
    let tool = shop()
    let sound = tool.run("verify", "--junit", "nowhere/report.xml")
    #expect(sound.exitStatus == 1)
    #expect(
      tool.plain(sound.error)
        == "holdfast: cannot create DIR/nowhere/report.xml.unfinished: No such file or directory\n")
    try flip(archive(tool), at: 300_000)
    let damaged = tool.run("verify", "--data", "--junit", "nowhere/report.xml")
    #expect(damaged.exitStatus == 21)
    #expect(damaged.error.contains("loses data: orders.db"))
  }

  @Test(arguments: ["50%", "50", "0.001%", "100%"])
  func aSampleReadsAPart(share: String) {
    let tool = shop()
    let result = tool.run("verify", "--sample", share)
    #expect(result.exitStatus == 0)
    #expect(result.output.hasPrefix("1 of 1 snapshot sound; "), "\(result.output)")
    if share == "100%" { #expect(result.output.contains("585.9 KiB in 3 frames")) }
  }
}
