import HoldfastModel
import HoldfastTestSupport
import Testing

/// A source that was renamed and that hosts take turns in serving: whatever the configuration says of it counts under
/// each of its names, whichever of them the configuration has.
@Suite struct RenamedHostsTests {
  private static let (old, new) = ("orders", "shop-orders")
  private let tool = Tool()
  private var told: Path { tool.directory.appending("told") }
  private let segments = {
    var log = TestLog()
    for index in 0..<4 {
      log.commit(at: TestLogs.noon + Int64(index))
      log.switchSegment()
    }
    return log.segments
  }()

  /// A repository with a source that this host, `one`, serves, and that is renamed. The configuration has the old name.
  init() throws {
    TestFiles.makeDirectory(tool.configuration)
    configure(Self.old)
    TestFiles.write("an invoice", to: tool.source.appending("invoice"))
    expect(["init", "--unsealed"])
    expect(["backup"])
    expect(["serving", Self.old, "--first"])
    expect(["source", "rename", Self.old, Self.new])
  }

  private func configure(_ name: String) {
    TestFiles.write(
      """
      repositories: {shop: {path: '\(tool.repository.text)'}}
      sources:
        \(name):
          path: '\(tool.source.text)'
          keep: {last: 9}
          failover: {host: one, probe: 'true', fence: 'true', demote: 'true', promote: 'true'}
      notifications:
        mail: {command: 'cat >> \(told.text)', on: [success, failure], sources: \(name)}

      """, to: tool.configuration.appending("holdfast.yaml"))
    TestFiles.setMode(tool.configuration.appending("holdfast.yaml"), 0o644)
  }

  @discardableResult
  private func expect(
    _ words: [String], _ status: Int32 = 0, _ text: String = "", at location: SourceLocation = #_sourceLocation
  ) -> ProcessResult {
    var start = tool.start(words)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    let result = RunningProcess(start).wait()
    let all = result.output + result.error
    #expect(
      result.exitStatus == status && (text.isEmpty || all.contains(text)), "\(words): \(all)", sourceLocation: location)
    return result
  }

  @Test func thisHostHasItsNameUnderEither() {
    // The configuration still has the old name.
    for name in [Self.old, Self.new] {
      expect(["serving", name], 0, "one serves \(Self.new)")
      expect(["switchover", name, "--to", "two", "--dry-run"], 0, Self.new)
    }
    expect(["merge", "--name", Self.new])
    expect(["prune", "--name", Self.new])
    expect(["check", "--no-write"], 30, "this host, one, serves it")
    configure(Self.new)
    expect(["serving", Self.old], 0, "one serves \(Self.new)")
    expect(["switchover", Self.old, "--to", "two", "--dry-run"], 0, Self.new)
    expect(["backup"])
    expect(["prune", "--name", Self.old])
  }

  /// Where another host serves, this one pushes no log, whatever the server calls the source.
  @Test func thePushIsFencedUnderEitherName() {
    let log = tool.directory.appending("pg_wal")
    TestFiles.makeDirectory(log)
    for segment in segments { TestFiles.write(segment.bytes, to: log.appending(segment.name.text)) }
    func push(_ index: Int, _ name: String, _ status: Int32, at location: SourceLocation = #_sourceLocation) {
      expect(
        ["wal", "push", log.appending(segments[index].name.text).text, "--name", name, "--ahead", "0"], status,
        status == 0 ? "" : "serves \(Self.new)", at: location)
    }
    push(0, Self.new, 0)
    push(1, Self.old, 0)
    expect(["switchover", Self.new, "--to", "two", "--new-host", "--yes"], 0)
    for configured in [Self.old, Self.new] {
      configure(configured)
      for name in [Self.old, Self.new] { push(2, name, 13) }
    }
  }

  @Test func receiversOfTheSourceAreToldUnderEitherName() throws {
    func isTold(_ words: [String], _ status: Int32) throws -> Bool {
      TestFiles.remove(told)
      expect(words, status)
      return TestFiles.read(told)?.isEmpty == false
    }
    #expect(try isTold(["verify", "--name", Self.new], 0))
    #expect(try isTold(["backup"], 1), "it is refused, and that is told")
    configure(Self.new)
    #expect(try isTold(["backup"], 0))
    #expect(try isTold(["verify", "--name", Self.old], 0))
    // A second rename: the configuration has a name that is neither the stored one nor the present one.
    expect(["source", "rename", Self.new, "third"])
    #expect(try isTold(["backup"], 1))
    #expect(try isTold(["verify", "--name", "third"], 0))
    expect(["serving", "third"], 0, "one serves third")
  }
}
