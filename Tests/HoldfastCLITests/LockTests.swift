import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Two runs on one source never overlap: the second gives up at once, or waits when asked to.
@Suite struct LockTests {
  /// A lock as another process would hold it.
  private final class HeldLock {
    private let descriptor: Int32

    init(_ tool: Tool) throws {
      let path = tool.repository.appending("locks/source.lock")
      descriptor = path.withCString { open($0, O_RDWR | O_CLOEXEC) }
      try #require(descriptor >= 0)
      try #require(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    }

    deinit { close(descriptor) }
  }

  private func shop() -> Tool {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    return tool
  }

  @Test func theSecondRunGivesUp() throws {
    let tool = shop()
    let lock = try HeldLock(tool)
    let result = withExtendedLifetime(lock) { tool.run("backup", "source", "--quiet") }
    #expect(result.exitStatus == 11)
    #expect(result.output == "")
    #expect(result.error == "holdfast: another run is backing up source\nHINT: Wait for it, or say --wait.\n")
  }

  @Test func readingAndOtherSourcesAreNotHindered() throws {
    let tool = shop()
    let lock = try HeldLock(tool)
    withExtendedLifetime(lock) {
      #expect(tool.run("list").exitStatus == 0)
      #expect(tool.run("verify", "--data").exitStatus == 0)
      #expect(tool.run("restore", "--target", "restored").exitStatus == 0)
      #expect(tool.run("backup", "source", "--dry-run").exitStatus == 0)
      #expect(tool.run("backup", "source", "--name", "other").exitStatus == 0)
    }
  }

  @Test func theSecondRunWaitsWhenAsked() throws {
    let tool = shop()
    var lock: HeldLock? = try HeldLock(tool)
    let standardError = tool.directory.appending("messages")
    TestFiles.write("", to: standardError)
    var start = tool.start(["backup", "source", "--wait"])
    start.error = .file(standardError.text)
    let process = RunningProcess(start)
    let expected = "holdfast: another run is backing up source; waiting for it\n"
    // The message comes once the lock was found taken.
    #expect(process.stop { TestFiles.read(standardError) == Array(expected.utf8) })
    #expect(tool.run("list", "--json").output.contains(#""sequence" : 1"#))
    #expect(!tool.run("list", "--json").output.contains(#""sequence" : 2"#))
    process.send(SIGCONT)
    withExtendedLifetime(lock) {}
    lock = nil
    let result = process.wait()
    #expect(result.exitStatus == 0)
    #expect(result.output.hasPrefix("took incremental "))
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalEndsTheWait(signal: Int32) throws {
    let tool = shop()
    let lock = try HeldLock(tool)
    let standardError = tool.directory.appending("messages")
    TestFiles.write("", to: standardError)
    var start = tool.start(["backup", "source", "--wait"])
    start.error = .file(standardError.text)
    let process = RunningProcess(start)
    #expect(process.stop { TestFiles.read(standardError)?.isEmpty == false })
    process.send(signal)
    process.send(SIGCONT)
    #expect(withExtendedLifetime(lock) { process.wait() }.exitStatus == 130)
  }
}
