import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `erasure: 2+2` with real processes and directories that are moved away and back.
@Suite(.timeLimit(.minutes(30))) struct DividedTests {
  @Test func withAnyTwoOfFourAwayEverythingGoesOn() throws {
    let shop = DividedPlaces("2+2", targets: 4)
    shop.run(ending: 0, "init", "--unsealed")
    let first = shop.run(ending: 0, "backup", "orders")
    #expect(first.output.contains("on a, b, c, d"), "\(first.output)")
    for name in shop.names {
      #expect(shop.containers(name).count == 2 && shop.containers(name).allSatisfy { $0.contains(".2-2.") }, "\(name)")
    }
    shop.run(ending: 0, "verify", "--data", "--quiet")
    for (number, away) in shop.choices(of: 2).enumerated() {
      away.forEach(shop.leave)
      shop.expectRestores("without \(away)")
      TestFiles.write("order \(number)", to: shop.tool.source.appending("new"))
      let taken = shop.run(ending: 3, "backup", "orders")
      #expect(taken.error.contains("only 2 of the 4 targets that shall have it have the snapshot"), "\(taken.error)")
      shop.expectRestores("the new one without \(away)")
      for name in away { #expect(!TestFiles.exists(shop.place(name)), "\(name) was made where no disk is mounted") }
      away.forEach(shop.comeBack)
      shop.run(ending: 0, "sync", "--quiet")
      shop.expectRestores("synced after \(away)")
    }
    shop.run(ending: 0, "scrub", "--quiet")
    shop.run(ending: 0, "verify", "--data", "--quiet")
  }

  @Test func withFewerThanNeededNothingIsTakenAndNothingIsCalledDamaged() {
    let shop = DividedPlaces("2+1", targets: 3, minShards: 2)
    shop.run(ending: 0, "init", "--unsealed")
    shop.run(ending: 0, "backup", "orders")
    shop.leave("c")
    TestFiles.write("order 2", to: shop.tool.source.appending("2"))
    shop.run(ending: 0, "backup", "orders")
    shop.leave("b")
    TestFiles.write("order 3", to: shop.tool.source.appending("3"))
    let unread = shop.run(ending: 1, "backup", "orders")
    #expect(
      shop.tool.plain(unread.error).contains("DIR/b does not answer: no target of the repository is there"),
      "\(unread.error)")
    let refused = shop.run(ending: 1, "backup", "orders", "--full")
    #expect(
      shop.tool.plain(refused.error).contains(
        "only 1 target of the 2 that 2+1 needs can take shards: b is behind: there is no repository in DIR/b; c is behind"
      ),
      "\(refused.error)")
    let read = shop.run(ending: 1, "restore", "latest", "--target", "restored")
    #expect(read.error.contains("no target of the repository is there"), "\(read.error)")
    #expect(shop.run("verify").exitStatus != 20)
    shop.comeBack("b")
    shop.comeBack("c")
    shop.run(ending: 0, "sync", "--quiet")
    shop.run(ending: 0, "backup", "orders")
    shop.expectRestores()
  }

  @Test func aDamagedShardIsReadThroughAndRepaired() throws {
    let shop = DividedPlaces("2+1", targets: 3)
    shop.run(ending: 0, "init", "--unsealed")
    shop.run(ending: 0, "backup", "orders")
    let file = try #require(
      TestFiles.allFiles(in: shop.place("b")).first { $0.text.contains("/archive-") })
    let whole = try #require(TestFiles.read(file))
    var bytes = whole
    bytes[bytes.count / 2] ^= 1
    TestFiles.setMode(file, 0o644)
    TestFiles.write(bytes, to: file)
    shop.expectRestores("damaged")
    let found = shop.run(ending: 20, "scrub")
    #expect(
      found.error.contains("(in \(shop.place("b").text))") && found.error.contains("REPAIRABLE"), "\(found.error)")
    shop.run(ending: 0, "scrub", "--repair", "--quiet")
    #expect(TestFiles.read(file) == whole)
    #expect(shop.run(ending: 0, "scrub").error == "")
  }

  @Test func oneLocationAloneNamesTheOthers() {
    let shop = DividedPlaces("2+1", targets: 3)
    shop.run(ending: 0, "init", "--unsealed")
    shop.run(ending: 0, "backup", "orders")
    TestFiles.removeTree(shop.tool.configuration)
    let path = shop.place("c").text
    #expect(shop.run(ending: 0, "list", "-r", path).output.contains("orders"))
    for command in [["restore", "latest", "--target", "x"], ["verify"]] {
      var start = shop.tool.start(command + ["-r", path])
      start.environment["HOLDFAST_REPOSITORY"] = nil
      let result = RunningProcess(start).wait()
      #expect(result.exitStatus == 1, "\(command)")
      #expect(
        shop.tool.plain(result.error).contains(
          "what DIR/c has of archives are shards, 2+1, and it has one of each: the others are at a (DIR/a), b (DIR/b), c (DIR/c)\nHINT: Name all of them as `targets:` of a repository in the configuration, with `erasure: 2+1`, and say --repository with its name."
        ), "\(command): \(result.error)")
    }
  }

  @Test func anotherSchemeIsPlacedBySync() {
    let shop = DividedPlaces(nil, targets: 5)
    shop.run(ending: 0, "init", "--unsealed")
    shop.run(ending: 0, "backup", "orders")
    shop.configure("2+1")
    shop.expectRestores("before it is divided")
    let divided = shop.run(ending: 0, "sync")
    #expect(divided.output.contains("a: got its shards of 2 objects; 2 old shards went"), "\(divided.output)")
    for (position, name) in shop.names.enumerated() {
      let names = shop.containers(name)
      #expect(position < 3 ? names.count == 2 && names.allSatisfy { $0.hasSuffix(".2-1.\(position)") } : names == [])
    }
    TestFiles.write("order 2", to: shop.tool.source.appending("2"))
    shop.run(ending: 0, "backup", "orders")
    shop.configure("3+2")
    let placed = shop.run(ending: 0, "sync", "--json").output.replacing(/\s/, with: "")
    #expect(placed.contains(#""placements":[{"damage":[],"placed":4,"removedShards":4,"target":"a"}"#), "\(placed)")
    #expect(placed.contains(#"{"damage":[],"placed":4,"removedShards":0,"target":"e"}]"#), "\(placed)")
    let again = shop.run(ending: 0, "sync", "--json").output.replacing(/\s/, with: "")
    #expect(again.contains(#""placements":[{"damage":[],"placed":0,"removedShards":0,"target":"a"}"#), "\(again)")
    for (position, name) in shop.names.enumerated() {
      #expect(shop.containers(name).allSatisfy { $0.hasSuffix(".3-2.\(position)") }, "\(name)")
    }
    for away in [["b", "c"], ["d", "e"]] {
      away.forEach(shop.leave)
      shop.expectRestores("without \(away)")
      away.forEach(shop.comeBack)
    }
    shop.configure(nil)
    let refused = shop.run(ending: 2, "sync")
    #expect(refused.error.contains("archives are in shards, 3+2, by revision"), "\(refused.error)")
    shop.configure("3+2")
    let removed = shop.run(ending: 2, "target", "remove", "e", "--yes")
    #expect(removed.error.contains("without e there are 4 targets, and 3+2 needs 5"), "\(removed.error)")
  }

  @Test func aSpareTakesOverAndHomeIsPromoted() {
    let shop = DividedPlaces("2+1", targets: 4)
    shop.run(ending: 0, "init", "--unsealed")
    shop.run(ending: 0, "backup", "orders")
    #expect(shop.containers("d") == [])
    let refused = shop.run(ending: 2, "target", "promote", "d")
    #expect(refused.error.contains("d is a spare: it has no shards, and home must have them"), "\(refused.error)")
    shop.run(ending: 0, "target", "remove", "b", "--yes")
    TestFiles.removeTree(shop.place("b"))
    shop.configure("2+1", ["a", "c", "d"])
    shop.run(ending: 0, "sync", "--quiet")
    #expect(shop.containers("d").allSatisfy { $0.hasSuffix(".2-1.1") } && shop.containers("d").count == 2)
    TestFiles.removeTree(shop.place("a"))
    shop.run(ending: 0, "target", "promote", "c")
    shop.configure("2+1", ["c", "a", "d"])
    shop.expectRestores("home is lost")
    TestFiles.write("order 2", to: shop.tool.source.appending("2"))
    shop.run(ending: 3, "backup", "orders")
    shop.expectRestores("taken at the new home")
    shop.run(ending: 0, "init")
    shop.run(ending: 0, "sync", "--quiet")
    shop.leave("d")
    shop.expectRestores("from what was made again")
  }

  @Test func rescueRestoresFromAnyTwoOfFour() {
    let shop = DividedPlaces("2+2", targets: 4)
    shop.run(ending: 0, "init", "--unsealed")
    shop.run(ending: 0, "backup", "orders")
    TestFiles.write("order 2", to: shop.tool.source.appending("2"))
    shop.run(ending: 0, "backup", "orders")
    let script = Tool.root.appending("Scripts/rescue.py").text
    for chosen in shop.choices(of: 2) {
      let result = shop.tool.other(
        "python3", script, shop.place(chosen[0]).text, "--with", shop.place(chosen[1]).text, "restore", "latest",
        "rescued")
      #expect(result.exitStatus == 0, "\(chosen): \(result.error)")
      shop.expectRestored("rescued", "from \(chosen)")
    }
  }

  /// While another scheme is placed, an object is in both, and rescue reads the one that is sound.
  @Test func rescueReadsWhatWasThereBeforeWhereNewShardsAreWrong() throws {
    let shop = DividedPlaces("2+1", targets: 4)
    shop.run(ending: 0, "init", "--unsealed")
    shop.run(ending: 0, "backup", "orders")
    var before: [Path: [UInt8]] = [:]
    for path in shop.names.flatMap({ TestFiles.allFiles(in: shop.place($0)) }) where path.text.contains(".2-1.") {
      before[path] = TestFiles.read(path)
    }
    try #require(!before.isEmpty)
    shop.configure("2+2")
    shop.run(ending: 0, "sync")
    for (path, bytes) in before { TestFiles.write(bytes, to: path) }
    for path in shop.names.flatMap({ TestFiles.allFiles(in: shop.place($0)) }) where path.text.contains(".2-2.") {
      var bytes = try #require(TestFiles.read(path))
      bytes[0] ^= 1
      TestFiles.write(bytes, to: path)
    }
    let script = Tool.root.appending("Scripts/rescue.py").text
    let result = shop.tool.other(
      "python3", script, shop.place("a").text, "--with", shop.place("b").text, "--with", shop.place("c").text,
      "restore", "latest", "rescued")
    #expect(result.exitStatus == 0, "\(result.error)")
    shop.expectRestored("rescued", "from what was there before")
  }

  @Test func aRunThatIsKilledLeavesNothingInTheWay() throws {
    let shop = DividedPlaces("2+1", targets: 3)
    shop.run(ending: 0, "init", "--unsealed")
    shop.run(ending: 0, "backup", "orders")
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    for number in 0..<5 {
      TestFiles.write(random.text(3_000_000), to: shop.tool.source.appending("orders.db"))
      var start = shop.tool.start(["backup", "orders"])
      start.environment["HOLDFAST_REPOSITORY"] = nil
      let process = RunningProcess(start)
      usleep(UInt32(random.next() % 400_000))
      process.send(SIGKILL)
      _ = process.wait()
      shop.run(ending: 0, "backup", "orders", "--wait")
      shop.expectRestores("killed run \(number), seed \(seed)")
    }
    shop.run(ending: 0, "sync", "--quiet")
    shop.run(ending: 0, "scrub", "--quiet")
    shop.run(ending: 0, "verify", "--data", "--quiet")
  }
}
