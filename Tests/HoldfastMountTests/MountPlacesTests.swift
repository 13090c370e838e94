import HoldfastModel
import HoldfastTestSupport
import Testing

/// A mount reads from wherever `cat` and `restore` do.
@Suite(.requires(.fuse)) struct MountPlacesTests {
  private let tool = Tool()

  private func fill() {
    var random = SeededRandom(seed: 11)
    TestFiles.write(random.bytes(2 << 20), to: tool.source.appending("orders.db"))
    for number in 1...30 { TestFiles.write(random.text(3000), to: tool.source.appending("\(number).xml")) }
  }

  @Test(.requires(.sftpServer)) func aFarRepositoryIsMounted() async throws {
    fill()
    tool.backUp()
    TestFiles.write("another", to: tool.source.appending("another"))
    tool.backUp()
    let mount = try await TestMount(tool) { [tool] in
      $0.environment["HOLDFAST_REPOSITORY"] = "sftp:backup@server.example\(tool.repository.text)"
      $0.environment["HOLDFAST_SSH_COMMAND"] = SFTPServerProgram.plain
    }
    #expect(TreeDescription(of: mount.snapshot()).differences(from: TreeDescription(of: tool.source)) == [])
    await mount.endWell()
  }

  /// What is damaged at one target is read from another, and nobody who reads notices.
  @Test func anotherTargetGivesWhatIsDamagedAtHome() async throws {
    fill()
    let places = ["here", "cloud"].map { tool.directory.appending($0) }
    TestFiles.makeDirectory(tool.configuration)
    TestFiles.write(
      """
      repositories:
        shop:
          targets:
            - {name: here, path: '\(places[0].text)'}
            - {name: cloud, path: '\(places[1].text)'}
      sources:
        source: {path: '\(tool.source.text)'}
      """, to: tool.configuration.appending("holdfast.yaml"))
    TestFiles.setMode(tool.configuration.appending("holdfast.yaml"), 0o644)
    for command in [["init", "--unsealed"], ["backup", "--quiet"]] {
      let result = tool.other(Tool.binary.text, command[0], command[1]) { $0.environment["HOLDFAST_REPOSITORY"] = nil }
      #expect(result.exitStatus == 0, "\(result.error)")
    }
    let archives = TestFiles.allFiles(in: places[0]).filter { $0.text.contains("/archive-") }
    #expect(!archives.isEmpty)
    for archive in archives { TestFiles.overwrite(archive, at: 100_000, with: [UInt8](repeating: 7, count: 5000)) }
    let mount = try await TestMount(tool) { $0.environment["HOLDFAST_REPOSITORY"] = nil }
    #expect(TreeDescription(of: mount.snapshot()).differences(from: TreeDescription(of: tool.source)) == [])
    #expect(await mount.end().exitStatus == 0)
  }
}
