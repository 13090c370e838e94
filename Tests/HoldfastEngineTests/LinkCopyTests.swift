import Glibc
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Where the target makes no hard links, or no more of them, every name comes back with its contents, and is named.
@Suite struct LinkCopyTests {
  private let shop: TestShop

  init() throws {
    shop = try TestShop()
    let source = shop.source
    TestFiles.makeDirectory(source.appending("d"), mode: 0o750)
    TestFiles.write([UInt8](repeating: 7, count: 3000), to: source.appending("a"))
    // A hole in the middle, more than one block of a copy.
    TestFiles.truncate(source.appending("a"), to: 5 << 20)
    TestFiles.overwrite(source.appending("a"), at: (3 << 20) + 1, with: [1, 2, 3])
    TestFiles.setMode(source.appending("a"), 0o4710)
    TestFiles.setExtendedAttribute(source.appending("a"), "user.note", [1])
    TestFiles.setModified(source.appending("a"), seconds: 1_700_000_000, nanoseconds: 5)
    for name in ["b", "d/c", "d/z"] { TestFiles.link(source.appending("a"), as: source.appending(name)) }
    TestFiles.write("last", to: source.appending("z"))
    try shop.backup()
  }

  private static let reason = "made as a copy, not as another name of a: "

  private func expectWhole(_ target: Path, links: [String: String] = [:]) {
    var expected = TreeDescription(of: shop.source).nodes
    for name in ["b", "d/c", "d/z"] { expected[name]?.sameAs = links[name] }
    let found = TreeDescription(of: target).nodes
    for (name, node) in expected where name != "." { #expect(found[name] == node, "\(name)") }
    #expect(found.keys.sorted() == expected.keys.sorted())
  }

  @Test(arguments: [EPERM, EOPNOTSUPP, EMLINK, EXDEV]) func everyNameComesBackWithItsContents(code: Int32) throws {
    let probe = RefusingProbe([.link: code])
    let report = try shop.restore(to: "target", in: shop.repository(probe: probe))
    #expect(report.exitStatus == .incomplete)
    let reason = Self.reason + String(cString: strerror(code))
    #expect(report.problems == ["b", "d/c", "d/z"].map { Problem(path: Path($0), reason: reason) })
    expectWhole(shop.directory.appending("target"))
    #expect(TestFiles.status(shop.directory.appending("target/b"))?.allocated ?? 0 < 4 << 20, "the hole stays a hole")
  }

  /// Some names are there as links, and one as something else. A file with other names is written anew, so all of them
  /// are made again.
  @Test func aDeltaMakesCopiesOverWhatIsThere() throws {
    try shop.restore(to: "target")
    let target = shop.directory.appending("target")
    for name in ["b", "d/c"] { TestFiles.remove(target.appending(name)) }
    TestFiles.write("another", to: target.appending("d/c"))
    let probe = RefusingProbe([.link: EPERM])
    for _ in 1...2 {
      let report = try shop.restore(to: "target", in: shop.repository(probe: probe)) { $0.isDelta = true }
      #expect(report.problems.map(\.path) == [Path("b"), Path("d/c"), Path("d/z")])
      expectWhole(target)
    }
    // On a file system that has them again, they are links again.
    #expect(try shop.restore(to: "target") { $0.isDelta = true }.problems == [])
    #expect(TreeDescription(of: target).differences(from: TreeDescription(of: shop.source)) == [])
  }

  /// A kill while copies are made leaves no half of one under its name.
  @Test func aCopyIsWholeBeforeItHasItsName() throws {
    try shop.restore(to: "target")
    let target = shop.directory.appending("target")
    let content = TestFiles.read(shop.source.appending("a"))
    for index in 0..<60 {
      TestFiles.remove(target.appending("b"))
      let cut = FaultProbe(.cut, at: index)
      let probe = RefusingProbe([.link: EPERM], then: cut)
      _ = try? shop.restore(to: "target", in: shop.repository(probe: probe)) { $0.isDelta = true }
      let found = TestFiles.read(target.appending("b"))
      #expect(found == nil || found == content, "operation \(index)")
      guard cut.isCut else { return }
    }
    Issue.record("the restore has more operations than were cut")
  }
}
