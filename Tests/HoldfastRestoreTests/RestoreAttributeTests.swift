import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What the system refuses is named, costs nothing else, and never opens a file to somebody who could not read it.
@Suite struct RestoreAttributeTests {
  private static let accessList = "system.posix_acl_access"
  private static let defaultList = "system.posix_acl_default"
  private let shop: TestShop
  private var place: Path { shop.source.appending("orders") }

  init() throws {
    shop = try TestShop(clock: TestHost.clock(ahead: 10))
    TestFiles.write("an order", to: shop.source.appending("orders"))
  }

  /// An access control list that lets another user read and write, and not the group of the file: its mode shows the
  /// group both.
  private var list: [UInt8] {
    let entries: [(tag: UInt16, bits: UInt16, id: UInt32)] = [
      (1, 6, .max), (2, 6, 1234), (4, 0, .max), (16, 6, .max), (32, 0, .max),
    ]
    var bytes: [UInt8] = [2, 0, 0, 0]
    for entry in entries {
      withUnsafeBytes(of: entry.tag.littleEndian) { bytes += $0 }
      withUnsafeBytes(of: entry.bits.littleEndian) { bytes += $0 }
      withUnsafeBytes(of: entry.id.littleEndian) { bytes += $0 }
    }
    return bytes
  }

  @Test func oneRefusalCostsOneAttribute() throws {
    TestFiles.setExtendedAttribute(place, "user.a", [1])
    TestFiles.setExtendedAttribute(place, "user.b", [2])
    TestFiles.setMode(place, 0o640)
    TestFiles.setModified(place, seconds: 1_700_000_000, nanoseconds: 5)
    try shop.backup()
    let whole = try #require(TreeDescription(of: shop.source).nodes["orders"])
    for index in 0..<5 {
      let probe = FaultProbe(.fail(EPERM), at: index, of: [.attributes])
      let report = try shop.restore(to: "restored \(index)", in: shop.repository(probe: probe))
      let node = try #require(TreeDescription(of: shop.directory.appending("restored \(index)")).nodes["orders"])
      let lost =
        [node.mode != whole.mode, node.modifiedSeconds != whole.modifiedSeconds].count { $0 }
        + (2 - node.extended.keys.count { $0.hasPrefix("user.") })
      #expect(report.problems.count == 1 && lost <= 1, "the refusal of number \(index)")
    }
  }

  @Test func withoutItsAccessControlListAFileIsNotOpenToItsGroup() throws {
    TestFiles.setExtendedAttribute(place, Self.accessList, list)
    try shop.backup()
    #expect(TestFiles.permissions(place) == 0o660, "what anybody may do at most")
    for index in 0..<4 {
      let probe = FaultProbe(.fail(EPERM), at: index, of: [.attributes])
      try shop.restore(to: "restored \(index)", in: shop.repository(probe: probe))
      let node = try #require(TreeDescription(of: shop.directory.appending("restored \(index)")).nodes["orders"])
      #expect(node.extended[Self.accessList] != nil || node.mode & 0o077 == 0, "the refusal of number \(index)")
    }
  }

  @Test func aFileThatIsNotItsOwnersDoesNotRunAsSomebodyElse() throws {
    TestFiles.setOwner(place, userID: 1234, groupID: 1234)
    TestFiles.setMode(place, 0o6755)
    try shop.backup()
    try shop.restore(to: "restored") { $0.setsOwner = false }
    #expect(TestFiles.permissions(shop.directory.appending("restored/orders")) == 0o755)
    try shop.restore(to: "whole")
    #expect(TestFiles.permissions(shop.directory.appending("whole/orders")) == 0o6755)
  }

  @Test func whatATargetGivesToNewFilesIsTakenFromThoseThatAreRestored() throws {
    TestFiles.makeFifo(shop.source.appending("fifo"))
    try shop.backup()
    let target = shop.directory.appending("restored")
    TestFiles.makeDirectory(target)
    TestFiles.setExtendedAttribute(target, Self.defaultList, list)
    try shop.restore(to: "restored")
    let nodes = TreeDescription(of: target).nodes
    for name in ["fifo", "orders"] { #expect(nodes[name]?.extended == [:], "\(name)") }
  }

  @Test func whatIsThereAlreadyIsNotMadeAgain() throws {
    TestFiles.makeFifo(shop.source.appending("fifo"))
    try shop.backup()
    try shop.restore(to: "target")
    let before = TestFiles.status(shop.directory.appending("target/fifo"))?.inode
    TestFiles.setMode(shop.directory.appending("target/fifo"), 0o600)
    try shop.restore(to: "target") { $0.isDelta = true }
    #expect(TestFiles.status(shop.directory.appending("target/fifo"))?.inode == before)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(
      TestFiles.permissions(shop.directory.appending("target/fifo"))
        == TestFiles.permissions(shop.source.appending("fifo")))
  }
}
