import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Who owns a target gets nothing by it from whoever restores into it: he may rename and exchange what is in it at any
/// moment, and hold it open. Only root can make files of others.
@Suite(.requires(.root)) struct RestoreTargetOwnerTests {
  private static let other: UInt32 = 1234
  private let shop: TestShop
  private var target: Path { shop.target }
  private var stage: Path { target.appending(".holdfast-restore") }
  private var victim: Path { shop.directory.appending("victim") }

  init() throws {
    shop = try TestShop(workers: 1, clock: TestHost.clock(ahead: 10))
    TestFiles.makeDirectory(target)
    TestFiles.write("of root", to: victim)
    TestFiles.setMode(victim, 0o640)
  }

  private func write(_ text: String, _ name: String, mode: UInt32 = 0o644, owner: UInt32 = 0, in root: Path? = nil) {
    let path = (root ?? shop.source).appending(name)
    TestFiles.write(text, to: path)
    TestFiles.setOwner(path, userID: owner, groupID: owner)
    TestFiles.setMode(path, mode)
  }

  private static func exchange(_ name: String, _ other: String, in target: Path) {
    TestFiles.rename(target.appending(name), to: target.appending("aside"))
    TestFiles.rename(target.appending(other), to: target.appending(name))
    TestFiles.rename(target.appending("aside"), to: target.appending(other))
  }

  private func restoreOver(_ probe: MeddlingProbe? = nil) throws {
    try shop.restore(to: "target", in: probe.map { try shop.repository(probe: $0) }) { $0.isDelta = true }
  }

  // MARK: The staging directory

  enum Foreign: CaseIterable { case others, open, file, link }

  @Test(arguments: Foreign.allCases) func aStagingDirectoryThatSomebodyElseMadeIsRefused(kind: Foreign) throws {
    write("order", "orders")
    try shop.backup()
    let reason: String
    switch kind {
    case .others:
      TestFiles.makeDirectory(stage, mode: 0o700)
      TestFiles.setOwner(stage, userID: Self.other, groupID: Self.other)
      reason = "it belongs to user 1234"
    case .open:
      TestFiles.makeDirectory(stage)
      TestFiles.setMode(stage, 0o770)
      reason = "others than its owner can enter it"
    case .file:
      TestFiles.write("", to: stage)
      reason = "it is no directory"
    case .link:
      TestFiles.symbolicLink(shop.source.description, at: stage)
      reason = "it is no directory"
    }
    for isDelta in [false, true] {
      #expect(
        refusal { try _ = shop.restore(to: "target") { $0.isDelta = isDelta } } == """
          \(stage) cannot be trusted: \(reason)
          HINT: If another user's restore left it, run that again as that user; else look at what is in it, remove it, and run the same command again.
          """)
    }
    #expect(TestFiles.names(in: target) == [".holdfast-restore"])
    #expect(TestFiles.names(in: shop.source) == ["orders"])
  }

  // MARK: What somebody may hold open

  /// Of another owner, or open to more people than the snapshot has it.
  @Test(arguments: [(UInt32(1234), UInt32(0o600)), (0, 0o644), (0, 0o620)])
  func whatOthersMayHoldOpenIsNotWrittenTo(owner: UInt32, mode: UInt32) throws {
    write("the secret", "secret", mode: 0o600)
    try shop.backup()
    write("an old one", "secret", mode: mode, owner: owner, in: target)
    let held = open(target.appending("secret").description, O_RDONLY)
    defer { close(held) }
    try restoreOver()
    var bytes = [UInt8](repeating: 0, count: 10)
    #expect(pread(held, &bytes, 10, 0) == 10)
    #expect(bytes == Array("an old one".utf8))
    #expect(TestFiles.read(target.appending("secret")) == Array("the secret".utf8))
    #expect(TestFiles.permissions(target.appending("secret")) == 0o600)
    #expect(TestFiles.owner(target.appending("secret")) == 0)
  }

  /// He could write on through his descriptor when it is root's, and runs with its rights.
  @Test func aFileOfAnotherDoesNotBecomeRootsEvenIfItIsTheSame() throws {
    write("program", "program", mode: 0o4755)
    try shop.backup()
    write("program", "program", mode: 0o755, owner: Self.other, in: target)
    let before = TestFiles.status(target.appending("program"))?.inode
    try restoreOver()
    #expect(TestFiles.status(target.appending("program"))?.inode != before)
    #expect(TestFiles.permissions(target.appending("program")) == 0o4755)
  }

  @Test func whatAnotherLeftInTheStagingDirectoryIsNotTakenOver() throws {
    write("the secret", "secret", mode: 0o600)
    try shop.backup()
    TestFiles.makeDirectory(stage, mode: 0o700)
    write("the secre", "secret", mode: 0o644, owner: Self.other, in: stage)
    let before = TestFiles.status(stage.appending("secret"))?.inode
    // As long as somebody has it open, its number is not given to another one.
    let held = stage.appending("secret").withCString { open($0, O_RDONLY) }
    defer { close(held) }
    try restoreOver()
    #expect(TestFiles.status(target.appending("secret"))?.inode != before)
    #expect(TestFiles.owner(target.appending("secret")) == 0)
  }

  // MARK: Names that are exchanged

  private func expectVictimUntouched() {
    #expect(TestFiles.permissions(victim) == 0o640)
    #expect(TestFiles.owner(victim) == 0)
    #expect(TestFiles.read(victim) == Array("of root".utf8))
  }

  @Test(arguments: [false, true]) func theAttributesOfAFifoReachNothingElse(isDelta: Bool) throws {
    TestFiles.makeFifo(shop.source.appending("fifo"))
    TestFiles.setOwner(shop.source.appending("fifo"), userID: Self.other, groupID: Self.other)
    TestFiles.setMode(shop.source.appending("fifo"), 0o4777)
    try shop.backup()
    let probe = MeddlingProbe(before: .attributes, of: "fifo") { [target, stage, victim] _ in
      for directory in [target, stage] where TestFiles.exists(directory.appending("fifo")) {
        TestFiles.remove(directory.appending("fifo"))
        TestFiles.symbolicLink(victim.description, at: directory.appending("fifo"))
      }
    }
    if isDelta { TestFiles.makeFifo(target.appending("fifo")) }
    _ = try? shop.restore(to: "target", in: shop.repository(probe: probe)) { $0.isDelta = isDelta }
    // Over existing content it is made, and finished, where nobody else can reach it.
    #expect(isDelta ? probe.times == 0 : probe.times > 0)
    expectVictimUntouched()
  }

  @Test func aDirectoryThatBecomesALinkIsNotMadeWritableThere() throws {
    TestFiles.makeDirectory(shop.source.appending("b"))
    write("order", "b/orders")
    try shop.backup()
    TestFiles.makeDirectory(target.appending("b"))
    TestFiles.setMode(target.appending("b"), 0o077)
    let probe = MeddlingProbe(before: .attributes, of: "b") { [target, victim] time in
      guard time == 0 else { return }
      TestFiles.rename(target.appending("b"), to: target.appending("away"))
      TestFiles.symbolicLink(victim.description, at: target.appending("b"))
    }
    _ = try? restoreOver(probe)
    #expect(probe.times > 0)
    expectVictimUntouched()
  }

  private let exchanged = { (name: String) in
    """
    \(name) in the target was exchanged while it was restored over
    HINT: Find out who writes to the target and stop it, then run the same command again.
    """
  }

  /// Two files and two directories, one of each the other user's, and a file that is changed last.
  private func makeMixedTarget() throws {
    for root in [shop.source, target] {
      TestFiles.makeDirectory(root.appending("d"))
      TestFiles.setOwner(root.appending("d"), userID: Self.other, groupID: Self.other)
      TestFiles.makeDirectory(root.appending("x"), mode: 0o700)
      write("root only", "x/inside", in: root)
      write("of another", "mine", owner: Self.other, in: root)
      write("the secret", "secret", mode: 0o600, in: root)
    }
    write("new", "zz")
    try shop.backup()
    write("old", "zz", in: target)
    TestFiles.setModified(target.appending("mine"), seconds: 1_600_000_000, nanoseconds: 0)
  }

  @Test func aFileThatTookTheNameOfAnotherIsNotGivenAway() throws {
    try makeMixedTarget()
    let probe = MeddlingProbe(before: .rename, of: "zz") { [target] time in
      if time == 0 { Self.exchange("mine", "secret", in: target) }
    }
    _ = try? restoreOver(probe)
    #expect(probe.times > 0)
    // Under the other's name by now.
    #expect(TestFiles.read(target.appending("mine")) == Array("the secret".utf8))
    #expect(TestFiles.owner(target.appending("mine")) == 0)
    #expect(TestFiles.permissions(target.appending("mine")) == 0o600)
  }

  @Test func aDirectoryThatTookTheNameOfAnotherIsNotGivenAway() throws {
    try makeMixedTarget()
    let probe = MeddlingProbe(before: .rename, of: "zz") { [target] time in
      if time == 0 { Self.exchange("d", "x", in: target) }
    }
    #expect(refusal { try restoreOver(probe) } == exchanged("d"))
    #expect(TestFiles.owner(target.appending("d")) == 0)
    #expect(TestFiles.permissions(target.appending("d")) == 0o700)
  }

  @Test func aFileThatIsNoLongerTheOneThatWasComparedIsNotTaken() throws {
    try makeMixedTarget()
    write("newer", "mine", owner: Self.other)
    try shop.backup()
    let probe = MeddlingProbe(before: .rename, of: "mine") { [target] time in
      if time == 0 { Self.exchange("mine", "secret", in: target) }
    }
    #expect(refusal { try restoreOver(probe) } == exchanged("mine"))
    #expect(TestFiles.read(target.appending("secret")) == Array("of another".utf8))
  }

  @Test func whatTookTheNameOfALeftoverIsNotRemoved() throws {
    try makeMixedTarget()
    TestFiles.makeDirectory(target.appending("junk"))
    let probe = MeddlingProbe(before: .rename, of: "zz") { [target] time in
      if time == 0 { Self.exchange("junk", "x", in: target) }
    }
    #expect(refusal { try restoreOver(probe) } == exchanged("junk"))
    #expect(TestFiles.read(target.appending("junk/inside")) == Array("root only".utf8))
  }

  /// Between the move out of the staging directory and the attributes.
  @Test func aDirectoryOfAnEmptyTargetKeepsItsOwnerWhenItIsExchanged() throws {
    TestFiles.makeDirectory(shop.source.appending("d"))
    TestFiles.setOwner(shop.source.appending("d"), userID: Self.other, groupID: Self.other)
    try shop.backup()
    let probe = MeddlingProbe(before: .remove, of: ".holdfast-restore") { [target] time in
      guard time == 0 else { return }
      TestFiles.rename(target.appending("d"), to: target.appending("away"))
      TestFiles.makeDirectory(target.appending("d"), mode: 0o700)
    }
    #expect(refusal { try _ = shop.restore(to: "target", in: shop.repository(probe: probe)) } == exchanged("d"))
    #expect(TestFiles.owner(target.appending("d")) == 0)
  }
}
