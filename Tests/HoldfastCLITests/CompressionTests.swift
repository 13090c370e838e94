import HoldfastModel
import HoldfastTestSupport
import Testing

/// However it is compressed, it comes back, without holdfast too.
@Suite struct CompressionTests {
  private func age(_ tool: Tool, seed: UInt64) {
    var random = SeededRandom(seed: seed)
    TestFiles.overwrite(tool.source.appending("orders.db"), at: Int(seed % 90) * 4096, with: random.text(20_000))
    TestFiles.write(random.text(5000), to: tool.source.appending("log-\(seed)"))
  }

  private func shop() -> Tool {
    let tool = Tool()
    var random = SeededRandom(seed: 61)
    TestFiles.write(random.text(400_000), to: tool.source.appending("orders.db"))
    TestFiles.link(tool.source.appending("orders.db"), as: tool.source.appending("linked.db"))
    TestFiles.symbolicLink("orders.db", at: tool.source.appending("current"))
    tool.run("init", "--unsealed")
    return tool
  }

  private func differences(_ tool: Tool, after result: ProcessResult) -> [String] {
    guard result.exitStatus == 0 else { return [result.error] }
    return TreeDescription(of: tool.directory.appending("restored"))
      .differences(from: TreeDescription(of: tool.source))
  }

  @Test(arguments: ["none", "deflate", "deflate:1", "deflate:9", "zstd", "zstd:19"])
  func everyCompressionComesBack(compression: String) {
    let tool = shop()
    #expect(tool.run("backup", "source", "--compression", compression).exitStatus == 0)
    age(tool, seed: 62)
    #expect(tool.run("backup", "source", "--compression", compression).exitStatus == 0)
    #expect(tool.run("verify", "--data").exitStatus == 0)
    #expect(differences(tool, after: tool.run("restore", "--target", "restored")) == [])
  }

  @Test func aChainMayMixCompressions() {
    let tool = shop()
    for (index, compression) in ["zstd", "none", "deflate:9", "zstd:19", "deflate"].enumerated() {
      #expect(tool.run("backup", "source", "--compression", compression).exitStatus == 0)
      age(tool, seed: 63 + UInt64(index) * 7)
    }
    #expect(tool.run("backup", "source").exitStatus == 0)
    #expect(tool.run("verify", "--data").exitStatus == 0)
    #expect(differences(tool, after: tool.run("restore", "--target", "restored")) == [])
  }

  @Test func theRescueScriptRestoresTheSameTree() {
    let tool = shop()
    for (index, kind) in ["--full", "--incremental", "--differential", "--incremental"].enumerated() {
      #expect(
        tool.run("backup", "source", kind, "--compression", ["deflate", "none", "zstd:3", "zstd:19"][index]).exitStatus
          == 0)
      age(tool, seed: 71 + UInt64(index) * 5)
    }
    TestFiles.remove(tool.source.appending("linked.db"))
    #expect(tool.run("backup", "source", "--compression", "deflate:9").exitStatus == 0)
    let script = Tool.root.appending("Scripts/rescue.py").text
    let rescued = tool.other("python3", script, "repository", "restore", "latest", "restored")
    #expect(differences(tool, after: rescued) == [])
    let verified = tool.other("python3", script, "repository", "verify")
    #expect(verified.exitStatus == 0, "\(verified.error)")
  }
}
