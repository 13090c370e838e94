import HoldfastModel
import HoldfastTestSupport
import Testing

/// However long answers take, as many requests are under way as may be, in both directions; and never more.
@Suite(.timeLimit(.minutes(30))) struct S3TransferTests {
  private static let connections = 8
  private let tool = SealedTool()
  private let server = PretendS3()

  private func run(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) {
    run(arguments, sourceLocation: sourceLocation)
  }

  private func run(_ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) {
    let result = tool.run(arguments) { start in
      start.environment["HOLDFAST_REPOSITORY"] = server.location
      start.environment["AWS_ACCESS_KEY_ID"] = "id"
      start.environment["AWS_SECRET_ACCESS_KEY"] = "secret"
      start.environment["AWS_EC2_METADATA_DISABLED"] = "true"
    }
    #expect(result.exitStatus == 0, "\(arguments): \(result.error)", sourceLocation: sourceLocation)
  }

  /// Makes a repository with a snapshot of so many bytes.
  private func backup(bytes: Int) {
    run("init", "--unsealed")
    TestFiles.write([UInt8](repeating: 5, count: bytes), to: tool.source.appending("orders"))
    run("backup", "source", "--name", "shop", "--compression", "none")
  }

  @Test func aBackupSendsAsManyPartsAtOnceAsItMay() {
    server.holdAnswers("PUT", "partNumber=", until: Self.connections)
    // One part is filled while the others are on their way.
    backup(bytes: (Self.connections + 1) * 6 << 20)
    #expect(server.mostAtOnce == Self.connections)
  }

  @Test(arguments: [
    ["restore", "latest", "--target", "restored"], ["verify", "--data"], ["merge"],
  ])
  func readingAsksForAsManyRangesAtOnceAsItMay(_ command: [String]) {
    backup(bytes: (Self.connections + 1) * 4 << 20)
    // So that there is something to merge.
    TestFiles.write("order", to: tool.source.appending("later"))
    run("backup", "source", "--name", "shop")
    server.holdAnswers("GET", "/archive-", bytes: 1 << 20, until: Self.connections)
    let before = server.requests.count
    run(command)
    #expect(server.mostAtOnce == Self.connections)
    let ranges = server.requests[before...].filter { $0.method == "GET" && $0.target.contains("/archive-") }
    // 36 MiB, the ends of two archives, and what is beside the large file.
    #expect(ranges.count <= 9 + 2 * 2 + 2, "\(ranges.count)")
    if command[0] == "restore" {
      #expect(
        TreeDescription(of: tool.directory.appending("restored")).differences(from: TreeDescription(of: tool.source))
          == [])
    }
  }

  /// The archives of a chain of small snapshots are opened side by side.
  @Test func aLongChainIsNotOpenedOneArchiveAfterTheOther() {
    run("init", "--unsealed")
    for number in 1...10 {
      TestFiles.write([UInt8](repeating: UInt8(number), count: 50_000), to: tool.source.appending("\(number)"))
      run("backup", "source", "--name", "shop")
    }
    server.holdAnswers("GET", "/archive-", until: Self.connections)
    run("restore", "latest", "--target", "restored")
    #expect(server.mostAtOnce >= Self.connections)
    #expect(
      TreeDescription(of: tool.directory.appending("restored")).differences(from: TreeDescription(of: tool.source))
        == [])
  }
}
