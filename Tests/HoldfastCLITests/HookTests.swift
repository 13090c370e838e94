import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A site freezes, snapshots and thaws around a backup, and is thawed whatever happens.
@Suite struct HookTests {
  private let tool = Tool()

  init() {
    tool.run("init", "--unsealed")
    TestFiles.write("1", to: tool.source.appending("order"))
  }

  private func text(_ name: String) -> String {
    String(decoding: TestFiles.read(tool.directory.appending(name)) ?? [], as: UTF8.self)
  }
  private func log() -> [String] { text("log").split(separator: "\n").map(String.init) }
  private let note = #"echo "$HOLDFAST_HOOK $HOLDFAST_EXIT_STATUS ${HOLDFAST_SOURCE##*/} ${#HOLDFAST_SNAPSHOT}" >> log"#

  @Test func theyRunAroundABackupAndSeeHowItEnded() {
    let result = tool.run("backup", "source", "--json", "--before", note, "--after", note, "--on-failure", note)
    #expect(result.exitStatus == 0)
    #expect(log() == ["before  source 0", "after 0 source 32"])
  }

  @Test func whatTheyPrintIsNoResult() {
    let result = tool.run("backup", "source", "--quiet", "--before", "echo frozen", "--after", "echo thawed >&2")
    #expect(result.output == "" && result.error == "frozen\nthawed\n")
  }

  @Test func whatBeforeChangesIsCaptured() {
    tool.run("backup", "source", "--before", "echo dump > source/dump")
    tool.run("restore", "--target", "restored")
    #expect(text("restored/dump") == "dump\n")
  }

  @Test func withoutBeforeThereIsNoBackupAndTheSiteIsThawed() {
    let result = tool.run("backup", "source", "--before", note + "; exit 4", "--after", note, "--on-failure", note)
    #expect(result.exitStatus == 1)
    #expect(
      result.error
        == "holdfast: the command failed with exit status 4\nHINT: Run it by itself to see what it says: \(note); exit 4\n"
    )
    #expect(log() == ["before  source 0", "after 1 source 0", "on-failure 1 source 0"])
    #expect(tool.run("list").output.hasPrefix("no snapshots in"))
  }

  @Test func aFailedBackupIsToldAndTheSiteIsThawed() {
    let result = tool.run("backup", "nowhere", "--after", note, "--on-failure", note)
    #expect(result.exitStatus == 1)
    #expect(log() == ["after 1 nowhere 0", "on-failure 1 nowhere 0"])
  }

  @Test func aSiteThatIsNotThawedIsAFailureThoughTheSnapshotIsCommitted() throws {
    let result = tool.run("backup", "source", "--quiet", "--after", "exit 7")
    #expect(result.exitStatus == 1)
    let id = try #require(tool.run("list").output.split(separator: "\n").last?.split(separator: " ").first)
    #expect(
      result.error
        == "holdfast: the snapshot \(id) is committed, but a hook failed: the command failed with exit status 7\n"
        + "HINT: See whether everything runs again, then run the command by hand.\n")
  }

  @Test func aSignalEndsWhatIsRunningAndTheSiteIsThawed() throws {
    let command = "echo waiting > begun; while true; do sleep 0.05; done"
    let run = RunningProcess(tool.start(["backup", "source", "--before", command, "--after", note]))
    #expect(run.stop(when: { TestFiles.exists(tool.directory.appending("begun")) }))
    run.send(SIGTERM)
    run.send(SIGCONT)
    #expect(run.wait().exitStatus == 130)
    #expect(log() == ["after 130 source 0"])
  }
}
