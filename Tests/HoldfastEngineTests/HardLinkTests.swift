import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What is kept of a directory that cannot be read may be other names of files that lie elsewhere: whatever has become
/// of those, the snapshot can be restored.
@Suite struct HardLinkTests {
  enum Change: CaseIterable, Sendable { case removed, replaced, renamed, linked }

  /// Nobody may look into a directory, nor at what lies in it.
  private final class ForbiddenDirectory: OperationProbe {
    private let name: Path
    private let isOpenForStatus: Bool

    init(_ name: String, isOpenForStatus: Bool) {
      (self.name, self.isOpenForStatus) = (Path(name), isOpenForStatus)
    }

    func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
      let isInside = name.contains(path) && path != name
      guard (operation == .open && path == name) || (isInside && !isOpenForStatus) else { return }
      throw SystemError(operation.rawValue, path, code: EACCES)
    }

    func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
  }

  @Test(arguments: Change.allCases, [true, false]) func aKeptLinkLeadsToAFile(
    change: Change, isOpenForStatus: Bool
  ) throws {
    let shop = try TestShop(clock: TestHost.clock(ahead: 10))
    for name in ["a", "b"] { TestFiles.makeDirectory(shop.source.appending(name)) }
    let first = shop.source.appending("a/x")
    TestFiles.write("an order", to: first)
    for name in ["b/x", "b/y"] { TestFiles.link(first, as: shop.source.appending(name)) }
    TestFiles.write("alone", to: shop.source.appending("b/z"))
    try shop.backup()
    switch change {
    case .removed: TestFiles.remove(first)
    case .replaced:
      TestFiles.remove(first)
      TestFiles.write("another order", to: first)
    case .renamed: TestFiles.rename(first, to: shop.source.appending("a/0"))
    case .linked: TestFiles.link(first, as: shop.source.appending("a/0"))
    }
    let probe = ForbiddenDirectory("b", isOpenForStatus: isOpenForStatus)
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(report.exitStatus == .incomplete && report.problems.map(\.path) == [Path("b")])
    #expect(try shop.verify().exitStatus == .done)
    try shop.restore(to: "restored")
    let restored = TreeDescription(of: shop.directory.appending("restored")).nodes
    for name in ["b/x", "b/y"] { #expect(restored[name]?.content == Array("an order".utf8), "\(name)") }
    #expect(restored["b/y"]?.sameAs == (change == .linked ? "a/0" : "b/x"))
    #expect(restored["b/z"]?.content == Array("alone".utf8))
    let order = change == .replaced ? "another order" : "an order"
    #expect(restored["a/x"]?.content == ([.removed, .renamed].contains(change) ? nil : Array(order.utf8)))
    #expect(try shop.backup().problems == [])
    #expect(try shop.differencesAfterRestore() == [])
  }
}
