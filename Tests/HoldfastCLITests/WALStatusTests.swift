import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// What is archived is shown as it is, and proved; what is missing or damaged is named.
@Suite struct WALStatusTests {
  private func tool(pushing indices: [Int]) -> Tool {
    let tool = Tool()
    tool.run("init", "--unsealed")
    push(indices, tool.start)
    return tool
  }

  private func push(_ indices: [Int], _ start: ([String]) -> RunningProcess.Start) {
    let directory = TemporaryDirectory()
    for index in indices {
      let segment = TestLogs.three.segments[index]
      let path = directory.appending(segment.name.text)
      TestFiles.write(segment.bytes, to: path)
      let result = RunningProcess(start(["wal", "push", path.text, "--name", "orders"])).wait()
      #expect(result.exitStatus == 0, "\(result.error)")
    }
  }

  private func plain(_ text: String) -> String {
    var text = text
    text.replace(/\d+\.\d KiB/, with: "SIZE")
    text.replace(/\d+(\.\d+)? s\b/, with: "SECONDS")
    return text
  }

  @Test func theLogIsShownWithItsGaps() throws {
    let none = Tool()
    none.run("init", "--unsealed")
    #expect(none.plain(none.run("wal", "status").output) == "no write-ahead log is archived in DIR/repository\n")
    let missing = none.run("wal", "status", "--name", "orders")
    #expect(missing.exitStatus == 1)
    #expect(
      missing.error == """
        holdfast: no write-ahead log is archived for orders
        HINT: Set archive_command = 'holdfast wal push %p --name orders' and archive_mode = on in postgresql.conf.

        """)
    let tool = tool(pushing: [0, 2])
    #expect(
      plain(tool.run("wal", "status").output) == """
        orders, cluster 7123456789012345678
          timeline 1  000000010000000000000001 to 000000010000000000000003  2 segments  SIZE stored  last transaction 2026-09-21T14:13:22.000000Z
            GAP: 000000010000000000000002 is missing

        """)
    let json = tool.run("wal", "status", "--json", "--name", "orders")
    let told = try #require(try JSONSerialization.jsonObject(with: Data(json.outputBytes)) as? [String: Any])
    let logs = try #require(told["logs"] as? [[String: Any]])
    let timeline = try #require((logs.first?["timelines"] as? [[String: Any]])?.first)
    #expect(timeline["segmentCount"] as? Int == 2)
    #expect(timeline["lastTransaction"] as? String == "2026-09-21T14:13:22.000000Z")
    #expect((timeline["gaps"] as? [[String: Any]])?.first?["firstSegment"] as? String == "000000010000000000000002")
  }

  @Test func verifyProvesTheLogAndTellsAGapFromDamage() throws {
    let tool = tool(pushing: [0, 1, 2])
    let sound = tool.run("verify", "--data")
    #expect(sound.exitStatus == 0)
    #expect(
      plain(sound.output) == """
        the log of orders, cluster 7123456789012345678: 3 of 3 files sound; SIZE read and proved
        0 of 0 snapshots sound; 0 B in 0 frames read and proved, in SECONDS

        """)
    let second = TestFiles.allFiles(in: tool.repository).filter { $0.text.contains("000000010000000000000002") }
    TestFiles.remove(try #require(second.last))
    let gap = tool.run("verify")
    #expect(gap.exitStatus == 20)
    #expect(
      gap.error == """
        holdfast: GAP: the log of orders: 000000010000000000000002 is missing between others of its timeline: recovery cannot pass it
        HINT: Recovery reaches no further than a sound log: take a snapshot now. `holdfast wal status` shows how far.

        """)
    let object = try #require(
      TestFiles.allFiles(in: tool.repository).first { $0.text.contains("000000010000000000000003-") })
    TestFiles.overwrite(object, at: 70, with: [0, 0, 0, 0])
    #expect(tool.run("verify").exitStatus == 20, "without --data nothing is read")
    let damaged = tool.run("verify", "--data")
    #expect(damaged.exitStatus == 21)
    #expect(
      tool.plain(damaged.error).contains(
        "holdfast: DAMAGED: the log of orders: wal/orders/7123456789012345678/0000000100000000/000000010000000000000003-LONGID is damaged: frame 0 does not have its digest\n"
      ))
    TestFiles.remove(object)
    let lost = tool.run("verify")
    #expect(lost.exitStatus == 21 && lost.error.contains("is damaged: it is missing\n"))
    let report = tool.run("verify", "--json", "--junit", "report.xml")
    let json = try #require(try JSONSerialization.jsonObject(with: Data(report.outputBytes)) as? [String: Any])
    let log = try #require((json["logs"] as? [[String: Any]])?.first)
    #expect(log["soundFiles"] as? Int == 1 && log["fileCount"] as? Int == 2 && json["sound"] as? Bool == false)
    let xml = String(decoding: TestFiles.read(tool.directory.appending("report.xml")) ?? [], as: UTF8.self)
    #expect(xml.contains(#"<testcase classname="orders" name="log of cluster 7123456789012345678""#))
    #expect(xml.contains(#"tests="1" failures="1""#))
  }

  @Test func aSealedLogIsProvedWithoutAKeyAndSaysHowFar() throws {
    let tool = SealedTool()
    tool.makeRepository()
    push([0, 1, 2], tool.start)
    let closed = tool.run("wal", "status")
    #expect(
      plain(closed.output) == """
        orders, cluster 7123456789012345678
          timeline 1  000000010000000000000001 to 000000010000000000000003  3 segments  SIZE stored
          sealed, and no identity was named: times, and how far recovery can reach, are not known

        """)
    #expect(tool.run("wal", "status", "--identity", "identity").output.contains("  last transaction 2026-"))
    let verified = tool.run("verify", "--data")
    #expect(verified.exitStatus == 0)
    #expect(verified.output.contains("3 of 3 files sound; "))
    #expect(verified.output.contains(" read and proved (sealed: signatures and stored bytes only)\n"))
    #expect(!tool.run("verify", "--data", "--identity", "identity").output.contains("(sealed"))
  }

  @Test func aRevokedWritersLogStaysAndNothingIsAddedToIt() throws {
    let tool = SealedTool()
    tool.makeRepository()
    push([0], tool.start)
    tool.generate("writer-2", "--writer")
    let line = tool.secret("writer-2").isEmpty ? "" : tool.run("key", "list").output
    #expect(!line.isEmpty)
    let writers = tool.shortIDs(of: "writer")
    let removed = tool.run("key", "remove", try #require(writers.first), "--identity", "identity")
    #expect(removed.exitStatus == 0, "\(removed.error)")
    let first = TestLogs.three.segments[0].name.text
    let fetched = tool.run("wal", "fetch", first, "target", "--name", "orders", "--identity", "identity")
    #expect(fetched.exitStatus == 0, "\(fetched.error)")
    #expect(tool.run("verify", "--data").exitStatus == 0)
    let segment = TestLogs.three.segments[1]
    let path = tool.directory.appending(segment.name.text)
    TestFiles.write(segment.bytes, to: path)
    let refused = tool.run("wal", "push", path.text, "--name", "orders")
    #expect(refused.exitStatus == 12 && refused.error.contains("was revoked"), "\(refused.error)")
  }

  @Test func ofManyPushesOfOneSegmentAtOnceEachSucceedsAndOneIsKept() throws {
    let tool = tool(pushing: [])
    let segment = TestLogs.three.segments[0]
    let path = tool.directory.appending(segment.name.text)
    TestFiles.write(segment.bytes, to: path)
    let pushes = (0..<8).map { _ in
      RunningProcess(tool.start(["wal", "push", path.text, "--name", "orders", "--json"]))
    }
    let results = pushes.map { $0.wait() }
    #expect(results.allSatisfy { $0.exitStatus == 0 }, "\(results.map(\.error))")
    #expect(results.count { $0.output.contains("\"alreadyArchived\" : false") } == 1)
    #expect(tool.run("wal", "fetch", segment.name.text, "target", "--name", "orders").exitStatus == 0)
    #expect(TestFiles.read(tool.directory.appending("target")) == segment.bytes)
  }

  @Test(arguments: [false, true]) func theRescueScriptWritesOutASegment(isSealed: Bool) throws {
    let sealed = SealedTool()
    if isSealed { sealed.makeRepository() } else { sealed.tool.run("init", "--unsealed") }
    push([0, 1], isSealed ? sealed.start : sealed.tool.start)
    let segment = TestLogs.three.segments[1]
    let script = Tool.root.appending("Scripts/rescue.py").text
    func rescue(_ file: String, _ options: String...) -> ProcessResult {
      var start = RunningProcess.Start(
        ["python3", "-B", script, sealed.repository.text, "wal", "orders", segment.name.text, file] + options)
      start.environment = sealed.tool.environment
      start.directory = sealed.directory.path
      return RunningProcess(start).wait()
    }
    let result = isSealed ? rescue("out", "--identity", "identity") : rescue("out")
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(TestFiles.read(sealed.directory.appending("out")) == segment.bytes)
    #expect(rescue("out").exitStatus == 1, "what is there is never overwritten")
    if isSealed { #expect(rescue("closed").exitStatus == 1 && !TestFiles.exists(sealed.directory.appending("closed"))) }
  }
}
