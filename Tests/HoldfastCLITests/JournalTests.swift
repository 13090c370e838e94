import HoldfastArchive
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Every run leaves an entry in the journal of its source, and never fails for want of one.
@Suite struct JournalTests {
  private func shop() -> Tool {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    return tool
  }

  private func entries(_ repository: Path, of source: String = "source") throws -> [JournalEntry] {
    let folder = repository.appending("journal").appending(source)
    let newest = try #require(TestFiles.names(in: folder).max())
    let bytes = try #require(TestFiles.read(folder.appending(newest)))
    return try JournalObject(parsing: bytes, name: newest).entries
  }

  @Test func everyKindOfRunIsWrittenDown() throws {
    let tool = shop()
    tool.run("backup", "source")
    TestFiles.write("another order", to: tool.source.appending("orders"))
    tool.run("backup", "source")
    tool.run("verify")
    tool.run("verify", "--data")
    tool.run("restore", "--target", "restored")
    tool.run("restore", "--target", "restored", "--delta")
    tool.run("merge")
    tool.run("prune", "--keep-last", "1")
    let all = try entries(tool.repository)
    #expect(
      all.map(\.command) == [.backup, .backup, .verify, .verify, .restore, .restore, .merge, .prune])
    try #require(all.count == 8)
    #expect(all.allSatisfy { $0.status == 0 && $0.began <= $0.ended && $0.warnings == 0 && $0.texts == nil })
    #expect(all.map(\.kind) == [.full, .incremental, nil, nil, .incremental, .incremental, .full, nil])
    #expect(all.map(\.sequence) == [1, 2, nil, nil, 2, 2, 3, nil])
    #expect(all[0].readBytes == 8 && all[1].readBytes == 13)
    #expect(all[..<2].allSatisfy { ($0.storedBytes ?? 0) > 100 })
    #expect(all[2].share == 0 && all[2].provedBytes == 0)
    #expect(all[3].share == 1 && (all[3].provedBytes ?? 0) >= 16)
    #expect(all[4].restoredBytes == 13 && all[4].isDelta == nil && all[5].isDelta == true)
    #expect((all[6].storedBytes ?? 0) > 100 && all[6].snapshot != all[1].snapshot)
  }

  /// Commands of the site's may hold secrets, and the journal is for everybody who reads the repository.
  @Test func aCommandThatFailsIsNotQuoted() throws {
    let tool = shop()
    tool.run("backup", "source")
    let result = tool.run("backup", "source", "--before", "true --password=s3kret; exit 4")
    result.expectRefusal(
      1, "the command failed with exit status 4",
      hint: "Run it by itself to see what it says: true --password=s3kret; exit 4")
    #expect(try entries(tool.repository).last?.texts == ["the command failed with exit status 4"])
    #expect(!tool.run("status", "--json").output.contains("s3kret"))
  }

  @Test func aDryRunIsNot() throws {
    let tool = shop()
    tool.run("backup", "source")
    tool.run("backup", "source", "--dry-run")
    tool.run("restore", "--target", "restored", "--dry-run")
    tool.run("merge", "--dry-run")
    tool.run("prune", "--keep-last", "1", "--dry-run")
    #expect(try entries(tool.repository).map(\.command) == [.backup])
  }

  @Test func aRunThatFailsIsWrittenDownWithItsReason() throws {
    let tool = shop()
    tool.run("backup", "source")
    TestFiles.removeTree(tool.source)
    #expect(tool.run("backup", "source").exitStatus == 1)
    TestFiles.makeDirectory(tool.source)
    #expect(tool.run("backup", "source").exitStatus == 1)
    let all = try entries(tool.repository)
    #expect(all.map(\.status) == [0, 1, 1])
    #expect(
      all.dropFirst().map { $0.texts?.map { tool.plain($0) } } == [
        ["the source DIR/source does not exist"], ["the source DIR/source is empty"],
      ])
    #expect(all.dropFirst().allSatisfy { $0.warnings == 1 && $0.snapshot == nil })
  }

  /// The first backup of a source may fail for weeks: under a name that was chosen that shows, and a path mistyped
  /// makes no source.
  @Test func aSourceWithoutSnapshotsHasAJournalUnderAChosenName() throws {
    let tool = shop()
    #expect(tool.run("backup", "nowhere").exitStatus == 1)
    #expect(TestFiles.names(in: tool.repository.appending("journal")) == [])
    #expect(tool.run("backup", "nowhere", "--name", "orders").exitStatus == 1)
    #expect(try entries(tool.repository, of: "orders").map(\.status) == [1])
    #expect(tool.run("list").output == "no snapshots in \(tool.repository.text)\n")
  }

  @Test(.requires(.unprivilegedUser)) func whatIsIncompleteIsNamed() throws {
    let tool = Tool()
    TestFiles.setMode(tool.directory.path, 0o777)
    TestFiles.write("an order", to: tool.source.appending("orders"))
    TestFiles.write("x", to: tool.source.appending("secret"))
    TestFiles.setMode(tool.source.appending("secret"), 0)
    let nobody = try Unprivileged(tool)
    nobody.run("init", "--unsealed")
    #expect(nobody.run("backup", "source").exitStatus == 3)
    let last = try #require(try entries(tool.repository).last)
    #expect(last.status == 3 && last.incomplete == 1 && last.warnings == 1)
    #expect(last.texts == ["INCOMPLETE: secret: Permission denied"])
  }

  @Test func aFailedHookLeavesTheSnapshotInTheJournal() throws {
    let tool = shop()
    #expect(tool.run("backup", "source", "--name", "source", "--after", "exit 7").exitStatus == 1)
    let all = try entries(tool.repository)
    #expect(all.map(\.status) == [1])
    #expect(all[0].sequence == 1 && all[0].texts?.count == 1)
  }

  @Test func anInterruptedRunIsWrittenDownAsSuch() throws {
    let tool = shop()
    // The shell's parent watches over it for the run, which is the parent of that.
    let command = "kill -TERM $(cut -d' ' -f4 /proc/$PPID/stat); sleep 60"
    let result = tool.run("backup", "--from-command", command, "--name", "dump", "--file-name", "dump")
    #expect(result.exitStatus == 130)
    let all = try entries(tool.repository, of: "dump")
    #expect(all.map(\.status) == [130])
    #expect(all.map(\.texts) == [["interrupted"]])
  }

  @Test func aVerifyOfEverythingIsWrittenDownForEachSource() throws {
    let tool = shop()
    tool.run("backup", "source", "--name", "a")
    tool.run("backup", "source", "--name", "b")
    let archive = try #require(
      TestFiles.allFiles(in: tool.repository.appending("sources/b")).first { $0.text.contains("/archive-") })
    TestFiles.overwrite(archive, at: 64, with: [1, 2, 3, 4])
    #expect(tool.run("verify", "--data").exitStatus == 21)
    let (sound, damaged) = (try entries(tool.repository, of: "a"), try entries(tool.repository, of: "b"))
    #expect(sound.map(\.status) == [0, 0] && damaged.map(\.status) == [0, 21])
    #expect(sound.last?.texts == nil && damaged.last?.texts?.count == 1)
    TestFiles.write("junk", to: tool.repository.appending("sources/a/0000000001/manifest.json"))
    #expect(tool.run("verify").exitStatus == 21)
    #expect(try entries(tool.repository, of: "a").last?.status == 21)
    #expect(try entries(tool.repository, of: "b").last?.status == 0)
  }

  /// One command backs up all configured sources: each is a run of its own.
  @Test func configuredSourcesAreWrittenDownOneByOne() throws {
    let tool = shop()
    let place = tool.directory.path.text
    TestFiles.write(
      """
      repositories:
        shop: {path: \(place)/repository}
      sources:
        gone: {path: \(place)/gone}
        orders: {path: \(place)/source}

      """, to: tool.directory.appending("holdfast.yaml"))
    let backup = tool.run("backup", "--config", "holdfast.yaml", "--quiet") {
      $0.environment["HOLDFAST_REPOSITORY"] = nil
    }
    #expect(backup.exitStatus == 1, "\(backup.error)")
    let (sound, failed) = (try entries(tool.repository, of: "orders"), try entries(tool.repository, of: "gone"))
    #expect(sound.map(\.status) == [0] && sound.map(\.sequence) == [1])
    #expect(failed.map(\.status) == [1])
    #expect(failed.first?.texts?.map { tool.plain($0) } == ["the source DIR/gone does not exist"])
  }

  @Test func runsAtTheSameTimeLoseNoEntry() throws {
    let tool = shop()
    tool.run("backup", "source")
    let runs = (0..<6).map { _ in RunningProcess(tool.start(["verify", "--quiet"])) }
    for run in runs {
      let result = run.wait()
      #expect(result.exitStatus == 0 && result.error == "")
    }
    #expect(try entries(tool.repository).count == 7)
    #expect(TestFiles.names(in: tool.repository.appending("journal/source")).count <= 3)
  }

  // MARK: When it cannot be

  @Test(.requires(.mounts)) func aReadOnlyRepositoryCostsAWarningOnly() throws {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    let disk = try SmallDisk(at: tool.repository, mebibytes: 2)
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    try disk.makeReadOnly()
    for command in [["verify", "--quiet"], ["restore", "--target", "restored", "--quiet"]] {
      let result = RunningProcess(tool.start(command)).wait()
      #expect(result.exitStatus == 0)
      #expect(
        tool.plain(result.error).replacing(/-LONGID/, with: "-ID")
          == "holdfast: WARNING: this run is not in the journal of the repository: cannot create DIR/repository/journal/source/.unfinished-ID: Read-only file system\n"
      )
    }
    withExtendedLifetime(disk) {}
  }

  /// It stays until two others have been begun after it, and is damage as long as it is there.
  @Test func aDamagedJournalIsNamedAndLeftBehind() throws {
    let tool = shop()
    tool.run("backup", "source")
    TestFiles.write("junk", to: tool.repository.appending("journal/source/0000000001"))
    let damage = "journal/source/0000000001 is damaged: it is not a journal"
    let results = (0..<3).map { _ in tool.run("verify", "--quiet") }
    #expect(results.map(\.exitStatus) == [20, 20, 0])
    #expect(
      results.map(\.error) == [
        "holdfast: REPAIRABLE: \(damage)\nholdfast: WARNING: \(damage); a new journal is begun\n",
        "holdfast: REPAIRABLE: \(damage)\n", "",
      ])
    #expect(try entries(tool.repository).map(\.command) == [.verify, .verify, .verify])
  }

  // MARK: Sealed

  /// Names of files are secret in a sealed repository, and what went wrong names them.
  @Test func aSealedRepositoryRevealsNoPath() throws {
    let tool = SealedTool()
    tool.makeRepository()
    TestFiles.write("x", to: tool.source.appending("customers.csv"))
    tool.run("backup", "source")
    TestFiles.removeTree(tool.source)
    #expect(tool.run("backup", "source").exitStatus == 1)
    TestFiles.makeDirectory(tool.source)
    TestFiles.write("junk that is no order", to: tool.source.appending("customers.csv"))
    tool.run("backup", "source", "--after", "echo customers.csv; exit 3")
    #expect(tool.run("restore", "--target", "private", "--identity", "identity").exitStatus == 0)
    let all = try entries(tool.repository)
    #expect(all.map(\.status) == [0, 1, 1, 0])
    #expect(all.map(\.warnings) == [0, 1, 1, 0])
    #expect(all.allSatisfy { $0.texts == nil })
    for entry in all {
      let line = String(decoding: try entry.line(), as: UTF8.self)
      for secret in ["customers", "private", tool.directory.path.text] { #expect(!line.contains(secret), "\(line)") }
    }
  }
}
