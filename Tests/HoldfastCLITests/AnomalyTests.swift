import HoldfastModel
import HoldfastTestSupport
import Testing

/// What an operator sees of a source that was emptied, and what ends it.
@Suite struct AnomalyTests {
  private let tool = RememberingTool()

  @Test func whatIsFoundIsSaidEverywhereAndAccepted() {
    #expect(tool.run("init", "--unsealed").exitStatus == 0)
    for number in 0..<20 { TestFiles.write("order \(number)", to: tool.source.appending("order \(number)")) }
    #expect(tool.run("backup", "source", "--quiet").exitStatus == 0)
    for number in 0..<19 { TestFiles.remove(tool.source.appending("order \(number)")) }
    let found = tool.run("backup", "source", "--quiet")
    #expect(found.exitStatus == 3 && found.output.isEmpty)
    #expect(
      tool.plain(found.error)
        == "holdfast: ANOMALY: mass deletion: 90 % of its entries are gone\nHINT: Nothing is pruned until this is settled: `holdfast show ID`; if it was meant, `holdfast accept ID`; else restore what came before it.\n"
    )
    #expect(tool.run("list").output.contains("  ANOMALY: mass-deletion\n"))
    #expect(tool.run("show").output.contains("ANOMALY      mass deletion: 90 % of its entries are gone\n"))
    #expect(
      tool.plain(tool.run("status").output).hasPrefix(
        "source: WARNING\n  ! snapshot ID does not look like a normal day: mass deletion: 90 % of its entries are gone; if it was meant, `holdfast accept ID`\n"
      ))
    let held = tool.run("prune", "--keep-last", "1")
    #expect(held.exitStatus == 3 && held.output.isEmpty)
    #expect(
      tool.plain(held.error)
        == "holdfast: nothing of source is removed, because of what ID looks like: mass deletion: 90 % of its entries are gone\nHINT: Run `holdfast show ID`. If that was meant, run `holdfast accept ID`; else restore what came before it.\n"
    )
    let accepted = tool.run("accept", "latest", "--reason", "moved to the archive")
    #expect(accepted.exitStatus == 0 && tool.plain(accepted.output) == "accepted ID\n")
    #expect(tool.run("list").output.contains("  accepted: mass-deletion\n"))
    #expect(tool.run("status").output.hasPrefix("source: OK\n"))
    #expect(tool.run("prune", "--keep-last", "1").exitStatus == 0)
  }
}
