import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Leases on a local directory, between real processes.
@Suite struct LeaseTests {
  /// A backup whose command has printed half of what it prints, and is stopped.
  private func stoppedBackup(_ tool: Tool, at gate: ClosedGate) throws -> RunningProcess {
    let command = "echo one; touch begun; \(gate.wait); echo two"
    let process = RunningProcess(tool.start(["backup", "--from-command", command, "--name", "orders"]))
    #expect(process.stop { TestFiles.exists(tool.directory.appending("begun")) })
    return process
  }

  private func numbers(_ tool: Tool) -> [String] {
    TestFiles.names(in: tool.repository.appending("leases/orders")).sorted()
  }

  /// A holder that sleeps, and whose lock does not reach the other: as on a shared file system whose locks are those of
  /// one machine.
  @Test func whoWakesLateCommitsNothing() throws {
    let tool = Tool()
    tool.run("init", "--unsealed")
    let gate = ClosedGate(in: tool.directory.path)
    let late = try stoppedBackup(tool, at: gate)
    #expect(numbers(tool) == ["0000000001"])
    TestFiles.remove(tool.repository.appending("locks/orders.lock"))
    let other = tool.run("backup", "--from-command", "echo three", "--name", "orders", "--file-name", "orders")
    #expect(other.exitStatus == 0, "\(other.error)")
    gate.open()
    late.send(SIGCONT)
    let result = late.wait()
    #expect(result.exitStatus == 1)
    #expect(
      tool.plain(result.error).contains(
        "another run has taken over orders in DIR/repository, because this one was out of reach for too long; nothing was committed\nHINT: Run the same command again."
      ), "\(result.error)")
    #expect(tool.run("verify", "--data").exitStatus == 0)
    #expect(tool.run("cat", "latest", "orders").output == "three\n")
  }

  @Test func whoWasOnlySlowCommits() throws {
    let tool = Tool()
    tool.run("init", "--unsealed")
    let gate = ClosedGate(in: tool.directory.path)
    let late = try stoppedBackup(tool, at: gate)
    gate.open()
    late.send(SIGCONT)
    #expect(late.wait().exitStatus == 0)
    #expect(tool.run("verify", "--data").exitStatus == 0)
  }

  /// A run that was killed leaves its number, and nobody waits for it.
  @Test func aKilledRunLeavesNothingToWaitFor() throws {
    let tool = Tool()
    tool.run("init", "--unsealed")
    let gate = ClosedGate(in: tool.directory.path)
    let killed = try stoppedBackup(tool, at: gate)
    killed.send(SIGKILL)
    _ = killed.wait()
    #expect(numbers(tool) == ["0000000001"])
    let next = tool.run("backup", "--from-command", "echo three", "--name", "orders")
    #expect(next.exitStatus == 0, "\(next.error)")
    #expect(numbers(tool) == ["0000000002", "0000000003"])
  }

  /// Each gets a snapshot of its own, or is told that the other one works.
  @Test func ofTwoThatRaceNeitherHarmsTheOther() throws {
    let tool = Tool()
    tool.run("init", "--unsealed")
    for round in 0..<5 {
      let processes = (0..<2).map { side in
        RunningProcess(
          tool.start(["backup", "--from-command", "echo \(round) \(side)", "--name", "orders", "--file-name", "orders"])
        )
      }
      let statuses = processes.map { $0.wait().exitStatus }
      #expect(statuses.contains(0) && statuses.allSatisfy { $0 == 0 || $0 == 11 }, "\(round): \(statuses)")
    }
    #expect(tool.run("verify", "--data").exitStatus == 0)
  }
}
