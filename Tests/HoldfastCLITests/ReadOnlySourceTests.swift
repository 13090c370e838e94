import HoldfastModel
import HoldfastTestSupport
import Testing

/// A source is never written to, and may be mounted read-only: also where databases in it are in use.
@Suite(.requires(.mounts)) struct ReadOnlySourceTests {
  private let tool = Tool()

  /// Runs a command where all is read-only but what the unit of `schedule install` lets a run write, besides its cache
  /// and memory.
  private func runAsTheUnitDoes(_ command: [String]) -> ProcessResult {
    for place in ["state", "cache"] { TestFiles.makeDirectory(tool.directory.appending(place)) }
    let unit = tool.run("schedule", "install", "--root", ".", "--dry-run", "--", "backup", tool.source.text)
    let places = unit.output.matches(of: /ReadWritePaths=-(.*)/).map { String($0.1) }
    #expect(places == [tool.repository.text])
    let script = #"""
      top=$1; shift
      mount --bind "$top" "$top"
      mount -o remount,bind,ro "$top"; cd "$top"
      while [ "$1" != -- ]; do mount --bind "$1" "$1"; mount -o remount,bind,rw "$1"; shift; done
      shift; ! echo x 2>&- >source/x
      exec "$@"
      """#
    var start = RunningProcess.Start(
      ["unshare", "--mount", "sh", "-ec", script, "sh", tool.directory.path.text, "state", "cache"] + places + ["--"]
        + command)
    start.environment = tool.environment
    start.environment["HOLDFAST_STATE_DIR"] = tool.directory.appending("state").text
    start.directory = tool.directory.path
    return RunningProcess(start).wait()
  }

  @Test(arguments: ["wal", "delete"]) func aLiveDatabaseIsCapturedFromIt(mode: String) throws {
    let path = tool.source.appending("db")
    let database = try TestDatabase(path, "PRAGMA journal_mode=\(mode);" + TestDatabase.orders)
    try database.order(50)
    // Somebody reads, and somebody else has the file open.
    let other = try TestDatabase(path)
    let summary = try other.summary()
    #expect(TestFiles.exists(tool.source.appending("db-shm")) == (mode == "wal"))
    let before = TreeDescription(of: tool.source)
    tool.run("init", "--unsealed")
    let taken = runAsTheUnitDoes([Tool.binary.text, "backup", "source", "--quiet"])
    #expect(taken.exitStatus == 0 && taken.error == "", "\(taken.error)")
    #expect(TreeDescription(of: tool.source).differences(from: before) == [])
    tool.run("restore", "--target", "out")
    #expect(TestFiles.allFiles(in: tool.directory.appending("out")) == [tool.directory.appending("out/db")])
    #expect(try TestDatabase(tool.directory.appending("out/db")).summary() == summary)
    try database.order(1)
  }

  /// What a killed program left is recovered in the snapshot, not in the source.
  @Test func whatAKilledProgramLeftStays() throws {
    let live = tool.directory.appending("live")
    TestFiles.makeDirectory(live)
    let database = try TestDatabase(
      live.appending("db"), "PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0;" + TestDatabase.orders)
    try database.order(50)
    for name in ["db", "db-wal"] {
      TestFiles.write(
        try #require(TestFiles.read(live.appending(name))), to: tool.source.appending(name))
    }
    let before = TreeDescription(of: tool.source)
    tool.run("init", "--unsealed")
    let taken = runAsTheUnitDoes([Tool.binary.text, "backup", "source", "--quiet"])
    #expect(taken.exitStatus == 0 && taken.error == "", "\(taken.error)")
    #expect(TreeDescription(of: tool.source).differences(from: before) == [])
    tool.run("restore", "--target", "out")
    #expect(try TestDatabase(tool.directory.appending("out/db")).summary() == database.summary())
  }
}
