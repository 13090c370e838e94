import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A backup writes to all targets at once. Whatever becomes of one of them, and whenever the run is killed, each has
/// only what it restores, and who lacks something is named.
@Suite(.timeLimit(.minutes(30))) struct OnePassTests {
  @Test func backupRunAndMergeReachEveryTarget() throws {
    let shop = ThreePlaces()
    shop.done("init", "--unsealed")
    #expect(shop.done("backup", "orders").output.hasSuffix("\n  on here, cloud, barn\n"))
    TestFiles.write("order 2", to: shop.tool.source.appending("2"))
    #expect(shop.done("run").output.contains("; on here, cloud, barn (no schedule"))
    TestFiles.write("order 3", to: shop.tool.source.appending("3"))
    let result = shop.done("backup", "orders", "--json", "--linger", "0s")
    #expect(result.output.matches(of: /"has" : true/).count == 3)
    #expect(shop.done("merge").output.hasSuffix("\n  on here, cloud, barn\n"))
    // Nothing was left for a sync.
    for name in ["cloud", "barn"] { #expect(shop.keys(name) == shop.keys("here")) }
    #expect(
      shop.done("sync", "--dry-run").output == "cloud: orders: in step\nbarn: orders: in step\n")
    shop.expectEachRestores()
  }

  @Test func aRunMayBeKilledAnywhere() throws {
    var random = SystemRandomNumberGenerator()
    let shop = ThreePlaces()
    shop.done("init", "--unsealed")
    shop.done("backup", "orders")
    for trial in 0..<(Trials.areAll ? 60 : 4) {
      TestFiles.write(
        [UInt8](repeating: UInt8(trial), count: 3 << 20), to: shop.tool.source.appending("large \(trial % 3)"))
      let started = RunningProcess(shop.start(["backup", "orders", "--full"]))
      Pause.time(.milliseconds(Double.random(in: 5...250, using: &random)))
      started.send(SIGKILL)
      _ = started.wait()
      for name in ThreePlaces.names { shop.done("verify", "--data", "--quiet", "--from", name) }
    }
    shop.done("backup", "orders")
    shop.done("sync", "--quiet")
    for name in ["cloud", "barn"] { #expect(shop.keys(name) == shop.keys("here")) }
    shop.expectEachRestores()
  }

  @Test(.requires(.mounts)) func aTargetThatIsFullIsNamedAndComesAfterwards() throws {
    let shop = ThreePlaces("    min-copies: 2\n")
    var disk: SmallDisk? = try SmallDisk(at: shop.place("barn"), mebibytes: 2)
    shop.done("init", "--unsealed")
    var random = SeededRandom(seed: 1)
    TestFiles.write(random.bytes(8 << 20), to: shop.tool.source.appending("large"))
    let result = shop.done("backup", "orders")
    #expect(result.output.hasSuffix("\n  on here, cloud; barn is behind\n"))
    #expect(
      shop.tool.plain(result.error).contains("WARNING: barn is behind: ")
        && result.error.contains("No space left on device"), "\(result.error)")
    #expect(shop.keys("barn").allSatisfy { !$0.hasSuffix("manifest.json") || !$0.hasPrefix("sources/") })
    disk = nil
    withExtendedLifetime(disk) {}
    // A larger disk in its place.
    shop.done("init")
    shop.done("sync", "--quiet")
    shop.expectEachRestores()
  }

  @Test func twoRunsOnTwoSourcesDoNotHinderEachOther() throws {
    let shop = ThreePlaces(sources: ["stock"])
    shop.done("init", "--unsealed")
    for number in 1...3 {
      for (index, directory) in [shop.tool.source, shop.place("stock")].enumerated() {
        var random = SeededRandom(seed: UInt64(10 * number + index))
        TestFiles.write(random.bytes(2 << 20), to: directory.appending("\(number)"))
      }
      let both = ["orders", "stock"].map { RunningProcess(shop.start(["backup", $0])) }.map { $0.wait() }
      for result in both {
        #expect(result.exitStatus == 0, "\(result.error)")
        #expect(result.output.hasSuffix("\n  on here, cloud, barn\n"))
        #expect(result.error.isEmpty)
      }
    }
    for name in ["cloud", "barn"] { #expect(shop.keys(name) == shop.keys("here")) }
    shop.expectEachRestores()
  }

  @Test func aTargetInTheSourceIsRefused() throws {
    let shop = ThreePlaces()
    shop.done("init", "--unsealed")
    TestFiles.removeTree(shop.place("barn"))
    TestFiles.makeDirectory(shop.tool.source.appending("barn"))
    TestFiles.symbolicLink("source/barn", at: shop.place("barn"))
    let result = shop.run("backup", "orders")
    #expect(result.exitStatus == 1)
    #expect(
      shop.tool.plain(result.error)
        == "holdfast: the target barn in DIR/source/barn and the source DIR/source lie in one another\nHINT: Keep every target on another disk than the source.\n"
    )
  }

  // MARK: A repository by its location

  @Test func homeByItsPathHasItsOtherTargets() throws {
    let shop = ThreePlaces()
    shop.done("init", "--unsealed")
    let result = shop.done("backup", shop.tool.source.text, "-r", "here", "--name", "orders")
    #expect(result.output.hasSuffix("\n  on here, cloud, barn\n"))
    TestFiles.symbolicLink("here", at: shop.place("link"))
    #expect(shop.done("sync", "-r", "link").output == "cloud: orders: in step\nbarn: orders: in step\n")
  }

  @Test func anotherTargetByItsPathIsReadAndNotWrittenTo() throws {
    let shop = ThreePlaces()
    shop.done("init", "--unsealed")
    shop.done("backup", "orders")
    let refusal =
      "holdfast: DIR/cloud is the target cloud of shop, and only home is written to\nHINT: Say --repository shop: its home is DIR/here.\n"
    let commands = [
      ["backup", shop.tool.source.text], ["merge"], ["prune", "--keep-last", "1"], ["tag", "latest", "--add", "x"],
      ["pin", "latest", "--reason", "x"], ["sync"], ["init", "--unsealed"],
      ["key", "add", "--recipient", "x"], ["wal", "push", "/nowhere/000000010000000000000001", "--name", "orders"],
    ]
    for command in commands {
      let result = RunningProcess(shop.start(command + ["-r", shop.place("cloud").text])).wait()
      #expect(result.exitStatus == 2, "\(command)")
      #expect(shop.tool.plain(result.error) == refusal, "\(command)")
    }
    for command in [["list"], ["verify", "--data"], ["show"], ["restore", "--target", "restored"]] {
      let result = RunningProcess(shop.start(command + ["-r", "cloud"])).wait()
      #expect(result.exitStatus == 0, "\(command): \(result.error)")
    }
  }

  // MARK: Reading

  /// Of a small repository, every object at home is changed in turn.
  @Test func aRestoreTakesFromTheOthersWhatIsWrongAtHome() throws {
    let shop = ThreePlaces()
    shop.done("init", "--unsealed")
    shop.done("backup", "orders")
    TestFiles.write("order 2", to: shop.tool.source.appending("2"))
    shop.done("backup", "orders")
    let tree = TreeDescription(of: shop.tool.source)
    for key in shop.keys("here").sorted() {
      let path = shop.place("here").appending(key)
      let whole = try #require(TestFiles.read(path))
      var bytes = whole
      bytes[bytes.count / 2] ^= 1
      TestFiles.write(bytes, to: path)
      let result = shop.done("restore", "latest", "--target", "restored", "--quiet")
      #expect(TreeDescription(of: shop.place("restored")).differences(from: tree) == [], "\(key)")
      TestFiles.removeTree(shop.place("restored"))
      TestFiles.write(whole, to: path)
      if !result.error.isEmpty {
        #expect(
          result.error.hasPrefix(
            "holdfast: WARNING: the target here has wrong bytes, and is read after the others: \(key) is damaged: ")
            && result.error.contains("\nHINT: Run `holdfast scrub --repair` to mend it from the others.\n"),
          "\(result.error)")
      }
      if key.contains("archive-") { #expect(!result.error.isEmpty) }
    }
  }

  @Test func whatHomeHasLostComesFromTheOthers() throws {
    let shop = ThreePlaces()
    shop.done("init", "--unsealed")
    shop.done("backup", "orders")
    let archive = try #require(shop.keys("here").first { $0.contains("archive-") })
    TestFiles.removeTree(shop.place("here").appending(archive))
    let restored = shop.done("restore", "latest", "--target", "restored", "--quiet")
    #expect(
      shop.tool.plain(restored.error).contains("holdfast: WARNING: the target here "), "\(restored.error)")
    #expect(shop.done("cat", "latest", "1").output == "order 1")
    // A verify proves home.
    let verified = shop.run("verify", "--data")
    #expect(verified.exitStatus == 21)
    // Where home is gone, the next says what is there, and another one has what that has lost.
    TestFiles.removeTree(shop.place("here"))
    TestFiles.removeTree(shop.place("cloud").appending(archive))
    TestFiles.removeTree(shop.place("restored"))
    shop.done("restore", "latest", "--target", "restored", "--quiet")
    #expect(
      TreeDescription(of: shop.place("restored")).differences(from: TreeDescription(of: shop.tool.source)) == [])
  }
}
