import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Files that grow, shrink, vanish or are replaced while they are read are captured whole, or named: never silently
/// wrong.
@Suite struct MovingFilesTests {
  enum Size: Int, CaseIterable, Sendable {
    case small = 20_000
    case large = 700_000
  }

  /// A source with the file to be meddled with between two others.
  private func makeShop(_ size: Size) throws -> (shop: TestShop, file: Path) {
    let shop = try TestShop()
    var random = SeededRandom(seed: UInt64(size.rawValue))
    TestFiles.write(random.text(5000), to: shop.source.appending("a"))
    TestFiles.write(random.text(size.rawValue), to: shop.source.appending("orders.db"))
    TestFiles.write(random.text(5000), to: shop.source.appending("z"))
    return (shop, shop.source.appending("orders.db"))
  }

  private func backup(
    _ shop: TestShop, before operation: Operation, _ meddle: @escaping @Sendable (Int) throws(SystemError) -> Void
  ) throws -> Backup.Report {
    // It is read, whatever the grain of clocks.
    TestFiles.setMode(shop.source.appending("orders.db"), 0o600)
    let probe = MeddlingProbe(before: operation, of: "orders.db", meddle)
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(probe.times > 0)
    #expect(try shop.verify().exitStatus == .done)
    return report
  }

  private func expectHealed(_ shop: TestShop) throws {
    let report = try shop.backup()
    #expect(report.exitStatus == .done)
    #expect(report.envelope.incomplete == 0)
    #expect(try shop.differencesAfterRestore() == [])
  }

  @Test(arguments: Size.allCases, [0, 1])
  func aFileThatIsAppendedToOnceIsReadAgain(size: Size, time: Int) throws {
    let (shop, file) = try makeShop(size)
    TestFiles.link(file, as: shop.source.appending("other name"))
    let report = try backup(shop, before: .read) {
      if $0 == time { TestFiles.overwrite(file, at: TestFiles.status(file)?.size ?? 0, with: [1, 2, 3]) }
    }
    #expect(report.exitStatus == .done)
    #expect(report.envelope.consistency <= .retried)
    #expect(try shop.differencesAfterRestore() == [])
    let rescue = try RescueScript.run([shop.repositoryPath.description, "verify"])
    #expect(rescue.status == 0, "\(rescue.output)")
  }

  @Test(arguments: Size.allCases, [9, 500_000])
  func aFileThatIsTruncatedOnceIsReadAgain(size: Size, newSize: Int) throws {
    let (shop, file) = try makeShop(size)
    let last = size == .small ? 0 : 2
    let report = try backup(shop, before: .read) {
      if $0 == last { TestFiles.truncate(file, to: min(newSize, size.rawValue - 1)) }
    }
    #expect(report.exitStatus == .done)
    #expect(report.envelope.consistency == .retried)
    #expect(try shop.entries()["orders.db"]?.file?.consistency == .retried)
    #expect(try shop.differencesAfterRestore() == [])
  }

  /// The same over a parent: what the first attempt stored is overlaid by the second.
  @Test(arguments: [300_000, 699_999, 700_001, 1_000_000])
  func aLargeFileThatIsResizedOverAParentIsReadAgain(newSize: Int) throws {
    let (shop, file) = try makeShop(.large)
    try shop.backup(.full)
    TestFiles.overwrite(file, at: 100, with: [1, 2, 3])
    TestFiles.overwrite(file, at: 400_000, with: [4, 5, 6])
    let report = try backup(shop, before: .read) {
      guard $0 == 2 else { return }
      TestFiles.truncate(file, to: newSize)
      TestFiles.overwrite(file, at: 5000, with: [7, 8, 9])
    }
    #expect(report.envelope.consistency == .retried)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try RescueScript.run([shop.repositoryPath.description, "verify"]).status == 0)
  }

  @Test(arguments: Size.allCases) func aFileThatNeverHoldsStillIsNamed(size: Size) throws {
    let (shop, file) = try makeShop(size)
    let report = try backup(shop, before: .read) { _ in
      TestFiles.overwrite(file, at: TestFiles.status(file)?.size ?? 0, with: [1])
    }
    #expect(report.exitStatus == .incomplete)
    #expect(report.problems.map(\.path) == [Path("orders.db")])
    #expect(report.envelope.consistency == .torn)
    #expect(report.envelope.incomplete == 1)
    let restored = try shop.restore(to: "restored")
    #expect(restored.exitStatus == .incomplete)
    #expect(restored.problems == [Problem(path: Path("orders.db"), reason: "torn when the snapshot was taken")])
    try expectHealed(shop)
  }

  /// A torn file is named by every snapshot that has it, not only by the first.
  @Test func aTornFileIsReadAgainThoughNothingChanged() throws {
    let (shop, file) = try makeShop(.large)
    _ = try backup(shop, before: .read) { _ in
      TestFiles.overwrite(file, at: TestFiles.status(file)?.size ?? 0, with: [1])
    }
    let report = try shop.backup()
    #expect(report.envelope.changes.readBytes >= 700_000)
    try expectHealed(shop)
  }

  @Test(arguments: Size.allCases) func aFileThatVanishesIsLeftOut(size: Size) throws {
    let (shop, file) = try makeShop(size)
    let report = try backup(shop, before: .open) { _ in TestFiles.remove(file) }
    #expect(report.exitStatus == .done)
    #expect(try shop.entries().keys.sorted() == [".", "a", "z"])
    try expectHealed(shop)
  }

  /// The same when the parent has it.
  @Test(arguments: Size.allCases) func aKnownFileThatVanishesIsRemoved(size: Size) throws {
    let (shop, file) = try makeShop(size)
    try shop.backup(.full)
    TestFiles.overwrite(file, at: 0, with: [0])
    let report = try backup(shop, before: .open) { _ in TestFiles.remove(file) }
    // Of so small a source nine tenths may be gone with it, which is told.
    #expect(report.envelope.incomplete == 0)
    #expect(report.envelope.changes.removed == 1)
    #expect(try shop.entries().keys.sorted() == [".", "a", "z"])
  }

  /// Its content as it was, or nothing.
  @Test(arguments: Size.allCases) func aFileThatIsUnlinkedWhileItIsReadIsWholeOrLeftOut(size: Size) throws {
    let (shop, file) = try makeShop(size)
    let content = TestFiles.read(file)
    let report = try backup(shop, before: .read) { if $0 == 0 { TestFiles.remove(file) } }
    #expect(report.exitStatus == .done)
    try shop.restore(to: "restored")
    let restored = TestFiles.read(shop.directory.appending("restored/orders.db"))
    #expect(restored == nil || restored == content)
    try expectHealed(shop)
  }

  /// A database that is replaced by rename is the old one or the new one, never a mixture.
  @Test(arguments: Size.allCases, [Operation.open, .read])
  func aFileThatIsReplacedIsOneOfTheTwo(size: Size, operation: Operation) throws {
    let (shop, file) = try makeShop(size)
    var random = SeededRandom(seed: 99)
    let old = TestFiles.read(file)
    let new = random.text(size.rawValue + 1)
    let other = shop.directory.appending("new")
    TestFiles.write(new, to: other)
    let report = try backup(shop, before: operation) { if $0 == 0 { TestFiles.rename(other, to: file) } }
    #expect(report.exitStatus == .done)
    try shop.restore(to: "restored")
    let restored = TestFiles.read(shop.directory.appending("restored/orders.db"))
    #expect(restored == new || restored == old)
    try expectHealed(shop)
  }

  enum Replacement: CaseIterable, Sendable { case symbolicLink, directory, fifo }

  /// Nothing is read through a link that has taken the place of a file, and what could not be captured is named.
  @Test(arguments: Size.allCases, Replacement.allCases)
  func aFileThatBecomesSomethingElseIsNamed(size: Size, replacement: Replacement) throws {
    let (shop, file) = try makeShop(size)
    let secret = shop.directory.appending("secret")
    TestFiles.write("not yours", to: secret)
    let report = try backup(shop, before: .open) { time in
      guard time == 0 else { return }
      TestFiles.remove(file)
      switch replacement {
      case .symbolicLink: TestFiles.symbolicLink(secret.description, at: file)
      case .directory: TestFiles.makeDirectory(file)
      case .fifo: TestFiles.makeFifo(file)
      }
    }
    #expect(report.exitStatus == .incomplete)
    #expect(report.problems.map(\.path) == [Path("orders.db")])
    #expect(try shop.entries()["orders.db"]?.file?.consistency == .unreadable)
    #expect(try shop.entries()["z"]?.file?.consistency == .stable)
    try expectHealed(shop)
  }

  @Test(arguments: Size.allCases, [0, 1]) func anUnreadableFileIsNamedAndTheRestCaptured(
    size: Size, parents: Int
  ) throws {
    let (shop, file) = try makeShop(size)
    if parents == 1 {
      try shop.backup(.full)
      TestFiles.overwrite(file, at: 0, with: [0])
    }
    let report = try backup(shop, before: .read) { (_) throws(SystemError) in
      throw SystemError("read", Path("orders.db"), code: 5)
    }
    #expect(report.exitStatus == .incomplete)
    #expect(report.problems == [Problem(path: Path("orders.db"), reason: "Input/output error")])
    #expect(report.envelope.consistency == .unreadable)
    #expect(report.envelope.incomplete == 1)
    let restored = try shop.restore(to: "restored")
    #expect(restored.exitStatus == .incomplete)
    #expect(restored.problems == [Problem(path: Path("orders.db"), reason: "unreadable when the snapshot was taken")])
    #expect(TestFiles.names(in: shop.directory.appending("restored")).sorted() == ["a", "z"])
    let rescued = shop.directory.appending("rescued")
    let rescue = try RescueScript.run([
      shop.repositoryPath.description, "restore", "latest", rescued.description,
    ])
    #expect(rescue.status == 3)
    #expect(TestFiles.names(in: rescued).sorted() == ["a", "z"])
    try expectHealed(shop)
  }

  @Test func anUnreadableDirectoryIsNamed() throws {
    let shop = try TestShop()
    TestFiles.makeDirectory(shop.source.appending("invoices"))
    TestFiles.write("1", to: shop.source.appending("invoices/1"))
    TestFiles.write("2", to: shop.source.appending("z"))
    let probe = MeddlingProbe(before: .list, of: "invoices") { (_) throws(SystemError) in
      throw SystemError("list", Path("invoices"), code: 5)
    }
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(report.exitStatus == .incomplete)
    #expect(report.problems == [Problem(path: Path("invoices"), reason: "Input/output error")])
    #expect(try shop.entries()["z"] != nil)
    try expectHealed(shop)
  }

  // MARK: Files with several names

  /// The first name of a file goes while the capture is at it: its other names still have the content.
  @Test(arguments: Size.allCases, [0, 1]) func aFileWhoseFirstNameVanishesIsCapturedByTheNext(
    size: Size, parents: Int
  ) throws {
    let (shop, file) = try makeShop(size)
    TestFiles.link(file, as: shop.source.appending("other name"))
    TestFiles.link(file, as: shop.source.appending("third name"))
    let content = TestFiles.read(file)
    if parents == 1 { try shop.backup(.full) }
    _ = try backup(shop, before: .open) { _ in TestFiles.remove(file) }
    let report = try shop.restore(to: "restored")
    #expect(report.problems == [])
    let restored = shop.directory.appending("restored")
    #expect(TestFiles.read(restored.appending("other name")) == content)
    #expect(
      TestFiles.status(restored.appending("other name"))?.inode
        == TestFiles.status(restored.appending("third name"))?.inode)
    #expect(try RescueScript.run([shop.repositoryPath.description, "verify"]).status == 0)
    try expectHealed(shop)
  }

  /// Another file takes the first name while the capture is at it: the other names must not come back with its content.
  @Test(arguments: Size.allCases, [0, 1]) func aFileWhoseFirstNameIsTakenIsCapturedByTheNext(
    size: Size, parents: Int
  ) throws {
    let (shop, file) = try makeShop(size)
    TestFiles.link(file, as: shop.source.appending("other name"))
    let content = TestFiles.read(file)
    let other = shop.directory.appending("new")
    TestFiles.write("something else", to: other)
    if parents == 1 { try shop.backup(.full) }
    _ = try backup(shop, before: .open) { if $0 == 0 { TestFiles.rename(other, to: file) } }
    try shop.restore(to: "restored")
    let restored = shop.directory.appending("restored")
    #expect(TestFiles.read(restored.appending("other name")) == content)
    #expect(TestFiles.read(restored.appending("orders.db")) == Array("something else".utf8))
    try expectHealed(shop)
  }
}
