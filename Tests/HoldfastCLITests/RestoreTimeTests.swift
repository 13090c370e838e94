import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A time that was pasted from `list` brings back the snapshot that it was pasted from.
@Suite struct RestoreTimeTests {
  /// Three snapshots in three seconds of their own, and what `list --json` tells of them.
  private func shop() throws -> (tool: Tool, taken: [[String: Any]]) {
    let tool = Tool()
    tool.run("init", "--unsealed")
    for number in 1...3 {
      TestFiles.write("order \(number)", to: tool.source.appending("orders"))
      tool.run("backup", "source", "--full")
      // The next in another second.
      let second = tool.other("date", "+%s").output
      while tool.other("date", "+%s").output == second {}
    }
    let taken = try #require(
      try JSONSerialization.jsonObject(with: Data(tool.run("list", "--json").output.utf8)) as? [String: Any])
    return (tool, try #require(taken["snapshots"] as? [[String: Any]]))
  }

  @Test func aPastedTimeIsTheSnapshotItWasPastedFrom() throws {
    let (tool, taken) = try shop()
    try #require(taken.count == 3)
    let iso = try #require(taken[1]["time"] as? String)
    let listed = try #require(
      tool.run("list").output.split(separator: "\n").compactMap {
        $0.firstMatch(of: /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+\d{4}/).map { String($0.output) }
      }.dropFirst().first)
    let spellings = [
      iso, listed, String(listed.dropLast(6)), listed.replacing(" +0000", with: "Z"),
      tool.other("date", "-d", listed).output.split(separator: "\n").joined(),
      tool.other("date", "-R", "-d", listed).output.split(separator: "\n").joined(),
      tool.other("date", "-Is", "-d", listed).output.split(separator: "\n").joined(),
    ]
    for (number, spelling) in spellings.enumerated() {
      let result = tool.run("restore", "--target", "restored\(number)", "--at", spelling)
      #expect(result.exitStatus == 0, "\(spelling): \(result.error)")
      let restored = TestFiles.read(tool.directory.appending("restored\(number)").appending("orders"))
      #expect(restored == Array("order 2".utf8), "\(spelling)")
    }
    try expectAnswer(tool, taken)
  }

  /// The answer names the snapshot that was taken, and the next newer one.
  private func expectAnswer(_ tool: Tool, _ taken: [[String: Any]]) throws {
    let identifiers = taken.compactMap { $0["id"] as? String }
    try #require(identifiers.count == 3)
    let listed = tool.run("list").output.matches(of: /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+\d{4}/).map {
      String($0.output)
    }
    try #require(listed.count == 3)
    let lines = tool.run("restore", "--target", "second", "--at", listed[1]).output.split(separator: "\n")
    #expect(lines[0].hasPrefix("restored \(identifiers[1].prefix(8)) of source, taken \(listed[1])"))
    #expect(
      lines[1]
        == "  it is the newest of \(listed[1]) or before; the next newer, \(identifiers[2].prefix(8)), was taken \(listed[2])"
    )
    let newest = tool.run("restore", "--target", "third", "--at", "2999-01-01", "--dry-run").output
    #expect(newest.contains("\n  it is the newest of 2999-01-01 or before; there is no newer one\n"))
    let json = tool.run("restore", "--target", "fourth", "--at", listed[1], "--json").output
    let told = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    #expect((told["snapshot"] as? [String: Any])?["id"] as? String == identifiers[1])
    #expect((told["newer"] as? [String: Any])?["id"] as? String == identifiers[2])
    #expect((told["newer"] as? [String: Any])?["time"] as? String == taken[2]["time"] as? String)
  }

  /// What is recovered must not depend on which of the two is meant.
  @Test func whereTheClockIsPutBackARecoveryIsToldWhich() {
    let tool = Tool()
    tool.run("init", "--unsealed")
    func restore(_ time: String) -> ProcessResult {
      tool.run("restore", "--target", "restored", "--to-time", time) {
        $0.environment["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
      }
    }
    for (time, first, second) in [
      ("2001-10-28 02:30", "2001-10-28 02:30:00 +0200", "2001-10-28 02:30:00 +0100"),
      ("2001-10-28T02:30:00.5", "2001-10-28T00:30:00.500000Z", "2001-10-28T01:30:00.500000Z"),
    ] {
      let result = restore(time)
      #expect(result.exitStatus == 2)
      #expect(
        result.error.contains(
          "--to-time \(time) came twice, because the clock was put back: say --to-time \"\(first)\" or --to-time \"\(second)\""
        ), "\(result.error)")
      for said in [first, second] { #expect(restore(said).exitStatus == 1, "there is no snapshot") }
    }
    for time in ["2001-10-28 01:59:59", "2001-10-28 03:00", "2001-10-28", "2001-10-28 02:30 CEST"] {
      #expect(!restore(time).error.contains("came twice"), "\(time)")
    }
  }

  @Test func whereTheClockIsPutBackATimeMeansBothHours() {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    let berlin: (inout RunningProcess.Start) -> Void = { $0.environment["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3" }
    for (time, shown) in [
      ("2001-10-28 02:30", "2001-10-28 02:30:59 +0100"), ("2001-10-28 02:30 CEST", "2001-10-28 02:30:59 +0200"),
      ("2001-10-28 02:30 CET", "2001-10-28 02:30:59 +0100"), ("2001-10-28", "2001-10-28 23:59:59 +0100"),
      ("Sun Oct 28 02:30:07 CEST 2001", "2001-10-28 02:30:07 +0200"), ("2001-07-01T12", "2001-07-01 12:59:59 +0200"),
    ] {
      let result = tool.run("restore", "--target", "restored", "--at", time, configure: berlin)
      #expect(result.error.hasPrefix("holdfast: no snapshot is as old as \(shown)\n"), "\(time): \(result.error)")
    }
    #expect(
      tool.run("restore", "--target", "restored", "--at", "2001-10-28 02:30 EST", configure: berlin).exitStatus == 2)
  }
}
