import HoldfastModel
import HoldfastTestSupport
import Testing

/// The same command again ends a restore that was interrupted, whatever was backed up meanwhile.
@Suite struct RestoreAgainTests {
  private let tool = Tool()
  private var target: Path { tool.directory.appending("shop") }

  @Test func latestMeansTheSnapshotThatWasBegun() throws {
    var random = SeededRandom(seed: 71)
    let (note, big) = (random.bytes(100_000), random.bytes(3_000_000))
    TestFiles.write(note, to: tool.source.appending("a_note"))
    TestFiles.write(big, to: tool.source.appending("z_big"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    TestFiles.makeDirectory(target)
    TestFiles.write(random.bytes(100_000), to: target.appending("a_note"))
    // A limit of files, in blocks of 512 bytes, stops it in the middle.
    let stopped = tool.other(
      "sh", "-c", "ulimit -f 2000; exec \"$0\" restore --target shop --no-remove --yes --quiet", Tool.binary.text)
    #expect(stopped.exitStatus != 0)
    // The old note may be there still: the big file may fail before it was taken away.
    #expect(TestFiles.names(in: target).contains(".holdfast-restore"))
    #expect(TestFiles.read(target.appending("a_note")) != note, "the note waits")
    TestFiles.remove(tool.source.appending("a_note"))
    tool.run("backup", "source")
    let result = tool.run("restore", "--target", "shop", "--no-remove", "--quiet")
    #expect(result.exitStatus == 0)
    #expect(
      tool.plain(result.error)
        == "holdfast: WARNING: an earlier restore of snapshot ID, taken TIME, into DIR/shop did not end: it goes on with that, and not with the newest, ID\n"
    )
    #expect(TestFiles.read(target.appending("a_note")) == note && TestFiles.read(target.appending("z_big")) == big)
    // Once it has ended, the newest is the latest.
    let next = tool.run("restore", "--target", "shop", "--no-remove", "--quiet")
    #expect(next.exitStatus == 0 && next.error == "")
  }
}
