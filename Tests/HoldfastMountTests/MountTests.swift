import Glibc
import HoldfastModel
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What a mount shows is what was captured.
@Suite(.requires(.fuse, .accessLists)) struct MountTests {
  /// Everything that the change detection, the chain and the restore must cope with, in several snapshots.
  @Test(arguments: Trials.seeds(byDay: 1, atNight: 8))
  func everySnapshotIsShownAsARestoreGivesIt(seed: UInt64) async throws {
    let tool = Tool()
    var mutator = SourceMutator(seed: seed, root: tool.source)
    mutator.fill()
    tool.backUp()
    for _ in 0..<2 {
      mutator.change()
      tool.backUp()
    }
    let mount = try await TestMount(tool)
    for id in try tool.identifiers() {
      #expect(tool.run("restore", id, "--target", id, "--quiet").exitStatus == 0)
      let restored = TreeDescription(of: tool.directory.appending(id))
      #expect(TreeDescription(of: mount.snapshot(".ids/\(id)")).differences(from: restored) == [], "seed \(seed)")
      // A beginning of an ID leads to it, too, and the link says which time it is.
      #expect(TestFiles.exists(mount.snapshot(".ids/\(id.prefix(8))")))
    }
    #expect(TreeDescription(of: mount.snapshot()) == TreeDescription(of: tool.source), "seed \(seed)")
    let said = await mount.endWell()
    #expect(
      tool.plain(said).wholeMatch(
        of:
          /mounted 3 snapshots of 1 source on DIR\/mounted, read-only\n +the newest of source: DIR\/mounted\/source\/latest\n +Ctrl-C ends it, or `umount DIR\/mounted`\n/
      ) != nil, "\(said)")
  }

  /// A small shop with everything that programs look at.
  private func shop() throws -> Tool {
    let tool = Tool()
    let database = try TestDatabase(tool.source.appending("orders.db"), TestDatabase.orders)
    try database.order(500, noteBytes: 2000)
    var random = SeededRandom(seed: 7)
    TestFiles.write([UInt8](repeating: 0, count: 4 << 20), to: tool.source.appending("sparse"))
    TestFiles.overwrite(tool.source.appending("sparse"), at: 1 << 20, with: random.bytes(10_000))
    TestFiles.punchHole(tool.source.appending("sparse"), at: 0, count: 1 << 20)
    TestFiles.punchHole(tool.source.appending("sparse"), at: 2 << 20, count: 2 << 20)
    TestFiles.makeDirectory(tool.source.appending("invoices"))
    TestFiles.write(random.text(300_000), to: tool.source.appending("invoices/1.xml"))
    TestFiles.link(tool.source.appending("invoices/1.xml"), as: tool.source.appending("invoices/also 1.xml"))
    TestFiles.symbolicLink("../orders.db", at: tool.source.appending("invoices/database"))
    TestFiles.makeFifo(tool.source.appending("queue"))
    TestFiles.setExtendedAttribute(tool.source.appending("orders.db"), "user.shop", Array("orders".utf8))
    tool.other("setfacl", "-m", "u:12345:rw", tool.source.appending("invoices").text)
    if Tool.isRoot { tool.other("mknod", tool.source.appending("device").text, "c", "259", "70000") }
    tool.backUp()
    return tool
  }

  @Test func programsCopyCompareAndAsk() async throws {
    let tool = try shop()
    let mount = try await TestMount(tool)
    let shown = mount.path.appending("source/latest/")
    let copied = tool.other("cp", "-a", mount.snapshot().text, "copy")
    #expect(copied.exitStatus == 0, "\(copied.error)")
    let copy = tool.directory.appending("copy")
    #expect(TreeDescription(of: copy).differences(from: TreeDescription(of: tool.source)) == [])
    let compared = tool.other(
      "diff", "-r", "--no-dereference", "--exclude=queue", "--exclude=device", "source", mount.snapshot().text)
    #expect(compared.exitStatus == 0 && compared.output == "", "\(compared.output)\(compared.error)")
    let asked = tool.other(
      "sqlite3", "file:\(shown.appending("orders.db").text)?immutable=1",
      "SELECT count(*), sum(length(note)) FROM orders; PRAGMA integrity_check;")
    #expect(asked.output == "500|1000000\nok\n", "\(asked.error)")
    // Holes are holes for who looks and for who copies.
    let sparse = try #require(TestFiles.status(shown.appending("sparse")))
    #expect(sparse.size == 4 << 20 && (10_000...40_000).contains(sparse.allocated), "\(sparse)")
    #expect(try #require(TestFiles.status(copy.appending("sparse"))).allocated < 1 << 20)
    #expect(TestFiles.status(shown.appending("invoices/also 1.xml"))?.linkCount == 2)
    #expect(
      TestFiles.status(shown.appending("invoices/also 1.xml"))?.inode
        == TestFiles.status(shown.appending("invoices/1.xml"))?.inode)
    // Nobody writes.
    let refused = tool.other("touch", shown.appending("new").text)
    #expect(refused.error.contains("Read-only file system"), "\(refused.error)")
    await mount.endWell()
  }

  @Test func theHolesOfAFileAreFoundByTheirEnds() async throws {
    let tool = try shop()
    let mount = try await TestMount(tool)
    let shown = open(mount.path.appending("source/latest/sparse").text, O_RDONLY)
    let captured = open(tool.source.appending("sparse").text, O_RDONLY)
    defer {
      close(shown)
      close(captured)
    }
    let (data, hole): (Int32, Int32) = (3, 4)
    // Pages may be larger than the blocks of the file system, so a hole may begin later and end earlier.
    let start = lseek(shown, 0, data)
    let end = lseek(shown, start, hole)
    #expect(start <= 1 << 20 && start > 900_000, "\(start)")
    #expect(end >= (1 << 20) + 10_000 && end < 1_200_000, "\(end)")
    #expect(lseek(shown, end, data) == -1 && errno == ENXIO)
    #expect(lseek(shown, end, hole) == end && lseek(shown, 4 << 20, hole) == -1)
    await mount.endWell()
  }

  @Test(arguments: Trials.seeds(byDay: 1, atNight: 5))
  func anyBytesOfAFileAreThoseThatWereCaptured(seed: UInt64) async throws {
    let tool = Tool()
    let (file, size) = (tool.source.appending("orders.db"), 9_000_000)
    var random = SeededRandom(seed: seed)
    TestFiles.write([UInt8](repeating: 0, count: size), to: file)
    for _ in 0..<60 {
      let count = Int.random(in: 1..<100_000, using: &random)
      TestFiles.overwrite(file, at: Int.random(in: 0..<size - count, using: &random), with: random.text(count))
    }
    tool.backUp()
    TestFiles.overwrite(file, at: Int.random(in: 0..<size - 5000, using: &random), with: random.bytes(5000))
    tool.backUp()
    let mount = try await TestMount(tool)
    let shown = mount.path.appending("source/latest/orders.db")
    for _ in 0..<300 {
      let offset = Int.random(in: 0..<size, using: &random)
      let count = min(size - offset, Int.random(in: 1..<200_000, using: &random))
      #expect(
        TestFiles.read(shown, at: offset, count: count) == TestFiles.read(file, at: offset, count: count),
        "\(count) bytes at \(offset), seed \(seed)")
    }
    #expect(TestFiles.read(shown) == TestFiles.read(file))
    await mount.endWell()
  }

  /// A listing comes in parts: the kernel asks for some kilobytes at a time.
  @Test func aLargeDirectoryIsListedInParts() async throws {
    let tool = Tool()
    let count = 20_000
    TestFiles.makeDirectory(tool.source.appending("invoices"))
    for number in 0..<count { TestFiles.write("", to: tool.source.appending("invoices/\(number).xml")) }
    tool.backUp()
    let mount = try await TestMount(tool)
    let names = TestFiles.names(in: mount.path.appending("source/latest/invoices"))
    #expect(names.count == count && Set(names) == Set((0..<count).map { "\($0).xml" }))
    #expect(
      tool.other("find", mount.snapshot().text, "-type", "f", "-links", "1").output.split(separator: "\n").count
        == count)
    #expect(!TestFiles.exists(mount.path.appending("source/latest/invoices/\(count).xml")))
    await mount.endWell()
  }

  @Test func oneSnapshotIsShownDirectly() async throws {
    let tool = Tool()
    TestFiles.write("the first", to: tool.source.appending("order"))
    tool.backUp()
    TestFiles.write("the second", to: tool.source.appending("order"))
    tool.backUp()
    let first = try tool.identifiers()[0]
    let mount = try await TestMount(tool, "--snapshot", String(first.prefix(8)))
    #expect(TestFiles.names(in: mount.path) == ["order"])
    #expect(TestFiles.read(mount.path.appending("order")) == Array("the first".utf8))
    let said = await mount.endWell()
    #expect(
      tool.plain(said)
        == "mounted a snapshot of source on DIR/mounted, read-only\n  Ctrl-C ends it, or `umount DIR/mounted`\n")
  }

  @Test func onlyTheSourcesThatAreNamedAreShown() async throws {
    let tool = Tool()
    for name in ["orders", "staff", "web"] {
      TestFiles.makeDirectory(tool.directory.appending(name))
      TestFiles.write(name, to: tool.directory.appending(name).appending("file"))
      if name == "orders" { #expect(tool.run("init", "--unsealed").exitStatus == 0) }
      #expect(tool.run("backup", name, "--quiet").exitStatus == 0)
    }
    let mount = try await TestMount(tool, "--name", "web", "--name", "orders")
    #expect(TestFiles.names(in: mount.path).sorted() == [".ids", "orders", "web"])
    #expect(TestFiles.read(mount.path.appending("web/latest/file")) == Array("web".utf8))
    #expect(TestFiles.names(in: mount.path.appending(".ids")).count == 2)
    #expect(!TestFiles.exists(mount.path.appending("staff")))
    await mount.endWell()
  }

  /// Listing many snapshots replays none, and shows their directories as they were.
  @Test func theDirectoryOfASnapshotIsAsItWasBeforeAnybodyEntersIt() async throws {
    let tool = Tool()
    let modes: [UInt32] = [0o755, 0o700, 0o750]
    for (number, mode) in modes.enumerated() {
      TestFiles.write("\(number)", to: tool.source.appending("order"))
      TestFiles.setMode(tool.source, mode)
      TestFiles.setModified(tool.source, seconds: 1_000_000_000 + number, nanoseconds: 5)
      tool.backUp()
      tool.backUp()
    }
    let mount = try await TestMount(tool)
    let shown = try tool.identifiers().map { id in
      tool.other("stat", "-c", "%a %Y", mount.snapshot(".ids/\(id)").text).output
    }
    let wanted = modes.enumerated().flatMap { number, mode in
      [String](repeating: "\(String(mode, radix: 8)) \(1_000_000_000 + number)\n", count: 2)
    }
    #expect(shown == wanted)
    await mount.endWell()
  }

  @Test func snapshotsAppearAndDisappear() async throws {
    let tool = Tool()
    TestFiles.write("the first", to: tool.source.appending("order"))
    tool.backUp()
    let mount = try await TestMount(tool)
    let first = TestFiles.names(in: mount.path.appending("source")).filter { $0 != "latest" }
    #expect(first.count == 1)
    TestFiles.write("the second", to: tool.source.appending("order"))
    #expect(tool.run("backup", "source", "--full", "--quiet").exitStatus == 0)
    let order = mount.path.appending("source/latest/order")
    #expect(await Patience.waits(TestMount.patience) { TestFiles.read(order) == Array("the second".utf8) })
    #expect(TestFiles.names(in: mount.path.appending("source")).count == 3)
    // Removed, it is hidden, and what is open can still be read.
    let old = mount.path.appending("source").appending(first[0]).appending("order")
    let opened = open(old.text, O_RDONLY)
    #expect(opened >= 0)
    #expect(tool.run("prune", "--keep-last", "1", "--quiet").exitStatus == 0)
    let isGone = await Patience.waits(TestMount.patience) {
      !TestFiles.names(in: mount.path.appending("source")).contains(first[0])
    }
    #expect(isGone, "\(tool.run("list").output)")
    #expect(TestFiles.read(order) == Array("the second".utf8))
    var bytes = [UInt8](repeating: 0, count: 9)
    #expect(read(opened, &bytes, 9) == 9 && bytes == Array("the first".utf8))
    close(opened)
    // Collected, it is gone for good, and nothing else is.
    #expect(tool.run("prune", "--keep-last", "1", "--grace", "0", "--quiet").exitStatus == 0)
    #expect(TestFiles.read(order) == Array("the second".utf8))
    await mount.endWell()
  }
}
