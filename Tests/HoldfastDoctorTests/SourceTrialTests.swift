import HoldfastDoctor
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `check` finds sources that a backup would refuse, or could not read.
@Suite struct SourceTrialTests {
  private func lines(source: String = "", prepare: (Site) -> Void = { _ in }) throws -> [String] {
    let site = Site(source: source)
    site.holdfast("init", "-r", "shop", "--unsealed")
    prepare(site)
    return try site.lines(.source)
  }

  @Test func oneThatWasNeverBackedUpIsNamed() throws {
    #expect(
      try lines() == [
        "ok directory: DIR/orders: 2 entries can be read; 1 file opened",
        "warning newest snapshot: it was never backed up\nHINT: Run `holdfast backup orders`.",
      ])
  }

  @Test func oneThatIsMissingIsNamed() throws {
    #expect(
      try lines { TestFiles.removeTree($0.orders) }[0]
        == "failed directory: the source DIR/orders does not exist\nHINT: Name the directory that holds the order database."
    )
  }

  @Test func oneThatHasBecomeEmptyIsNamed() throws {
    #expect(
      try lines { TestFiles.remove($0.orders.appending("first")) }[0]
        == "failed directory: the source DIR/orders is empty\nHINT: Is its disk mounted? Nothing was recorded; earlier snapshots are as they were."
    )
  }

  @Test func oneThatHoldsItsRepositoryIsNamed() throws {
    let site = Site()
    site.configure(
      """
      repositories: {shop: {path: \(site.orders.appending("shop").text)}}
      sources: {orders: {path: \(site.orders.text)}}
      """)
    site.holdfast("init", "-r", "shop", "--unsealed")
    #expect(
      try site.lines(.source)[0]
        == "failed directory: the repository DIR/orders/shop and the source DIR/orders lie in one another\nHINT: Keep the repository on another disk than the source."
    )
  }

  @Test func oneThatHoldsAnotherTargetIsNamed() throws {
    let site = Site()
    site.configure(
      """
      repositories:
        shop: {targets: [{name: here, path: \(site.shop.text)}, {name: barn, path: \(site.orders.appending("barn").text)}]}
      sources: {orders: {path: \(site.orders.text)}}
      """)
    TestFiles.makeDirectory(site.orders.appending("barn"))
    #expect(
      try site.lines(.source)[0]
        == "failed directory: the target barn in DIR/orders/barn and the source DIR/orders lie in one another\nHINT: Keep every target on another disk than the source."
    )
  }

  @Test func exclusionsThatMatchNothingAreNamed() throws {
    #expect(
      try lines(source: "exclude: ['*.tmp', 'first']") { TestFiles.write("x", to: $0.orders.appending("second")) }[1]
        == "warning exclusions: nothing matches *.tmp\nHINT: Correct the pattern, or take it out of the configuration.")
    #expect(
      try lines(source: "exclude: ['first']") { TestFiles.write("x", to: $0.orders.appending("second")) }[1]
        == "ok exclusions: each of them matches something")
  }

  @Test func theCommandOfASourceIsNotRun() throws {
    let site = Site()
    site.configure(
      """
      repositories: {shop: {path: \(site.shop.text)}}
      sources: {dump: {from-command: 'touch \(site.directory.appending("ran").text)'}}
      """)
    #expect(try site.lines(.source)[0] == "notTried command: only a backup runs its command")
    #expect(!TestFiles.exists(site.directory.appending("ran")))
  }

  /// As root everything can be read, so somebody else must look.
  @Test(.requires(.unprivilegedUser)) func whatThisUserMayNotReadIsNamed() throws {
    let site = Site()
    site.holdfast("init", "-r", "shop", "--unsealed")
    let other = try Unprivileged(site.tool)
    func look() -> ProcessResult {
      other.run(["check", "--no-write"]) {
        $0.environment["HOLDFAST_REPOSITORY"] = nil
        $0.environment["HOLDFAST_CACHE_DIR"] = site.directory.appending("nobody").text
      }
    }
    for path in [site.directory, site.shop, site.orders, site.tool.configuration] { TestFiles.setMode(path, 0o755) }
    TestFiles.setMode(site.tool.configuration.appending("holdfast.yaml"), 0o644)
    for name in ["second", "third", "fourth", "fifth"] {
      TestFiles.write("x", to: site.orders.appending(name))
      TestFiles.setMode(site.orders.appending(name), 0o600)
    }
    TestFiles.setMode(site.orders.appending("first"), 0o644)
    let some = look()
    #expect(
      site.tool.plain(some.output).contains(
        """
          warning  directory  DIR/orders: of 6 entries, 4 cannot be read: fifth: Permission denied; fourth: Permission denied; second: Permission denied; …
          HINT: Back it up as a user who may read them, or name them below `exclude`.
        """.replacing(/[ ]{2,}/, with: "  ")), "\(some.output)\(some.error)")
    TestFiles.setMode(site.orders.appending("first"), 0o600)
    let none = look()
    #expect(none.exitStatus == 30)
    #expect(none.output.contains("of 6 entries, 5 cannot be read"), "\(none.output)")
  }
}
