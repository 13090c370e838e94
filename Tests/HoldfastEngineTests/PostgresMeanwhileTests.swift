import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What is made or done on a cluster while it is captured, and cannot be a part of the snapshot, ends the capture.
@Suite(.serialized, .timeLimit(.minutes(3))) struct PostgresMeanwhileTests {
  private let shop: TestShop

  init() throws { shop = try TestShop() }

  private func refusal(of cluster: TestCluster, isLive: Bool, _ probe: MeddlingProbe) throws -> PostgresOrEngineError? {
    do {
      try shop.backup(in: shop.repository(probe: probe)) { options in
        options.source = cluster.data
        options.name = SourceName("shop")
        if isLive { options.postgres = cluster.connection }
      }
      return nil
    } catch let error as any OperatorError {
      return PostgresOrEngineError(message: error.message, hint: error.hint)
    }
  }

  private struct PostgresOrEngineError: Equatable {
    let message: String
    let hint: String?
  }

  /// Its link would lead the restored server into the live one.
  @Test func aTablespaceThatIsMadeEndsTheCapture() throws {
    // One thread at a time uses it: this one waits for the capture.
    nonisolated(unsafe) let cluster = try TestCluster()
    try cluster.start()
    let place = cluster.directory.appending("late")
    TestFiles.makeDirectory(place)
    try TestCluster.giveToServer(place)
    let probe = MeddlingProbe(before: .open, of: "base") { time in
      if time == 1 { _ = try? cluster.psql("CREATE TABLESPACE late LOCATION '\(place.text)'") }
    }
    #expect(
      try refusal(of: cluster, isLive: true, probe)
        == PostgresOrEngineError(
          message: "a tablespace was made during the backup", hint: "Run the same command again."))
    #expect(probe.times > 1 && TestFiles.names(in: place).count == 1)
    #expect(throws: (any Error).self) { try shop.snapshot() }
  }

  /// A server that this machine does not see, because it runs in a container, is seen by what it writes.
  @Test func aCheckpointOfAServerThatIsNotSeenEndsTheCapture() throws {
    // One thread at a time uses it: this one waits for the capture.
    nonisolated(unsafe) let cluster = try TestCluster()
    try cluster.start()
    let file = cluster.data.appending("postmaster.pid")
    let text = String(decoding: try #require(TestFiles.read(file)), as: UTF8.self)
    // The number that a process has in its container is nobody's here.
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
    TestFiles.write((["4194303"] + lines).joined(separator: "\n"), to: file)
    let probe = MeddlingProbe(before: .open, of: "base") { time in
      if time == 1 { _ = try? cluster.psql("CHECKPOINT") }
    }
    let error = try refusal(of: cluster, isLive: false, probe)
    #expect(error?.message.hasPrefix("a PostgreSQL server was started on the source while it was captured") == true)
    TestFiles.write(text, to: file)
  }
}
