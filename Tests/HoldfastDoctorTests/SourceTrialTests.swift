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

  // MARK: Its snapshots

  private func manifests(of site: Site) -> [Path] {
    TestFiles.allFiles(in: site.shop.appending("sources")).filter { $0.text.hasSuffix("/manifest.json") }
  }

  private func damage(_ file: Path) {
    TestFiles.setMode(file, 0o600)
    TestFiles.write("garbage", to: file)
  }

  /// An older snapshot that is sound must not hide that the newest is not.
  @Test func aDamagedManifestIsNamedBesideTheNewestSnapshot() throws {
    let site = Site()
    site.holdfast("init", "-r", "shop", "--unsealed")
    for _ in 0..<2 { site.holdfast("backup", "orders") }
    let manifests = manifests(of: site)
    try #require(manifests.count == 2)
    damage(manifests[1])
    let one = try site.lines(.source)
    #expect(one.count == 3 && one[1].hasPrefix("failed manifests: sources/orders/"), "\(one)")
    #expect(
      one[1].hasSuffix("\nHINT: Run `holdfast verify --name orders`: it says what can still be restored."), "\(one)")
    #expect(one[2] == "ok newest snapshot: begun TIME, full ID", "\(one)")
    damage(manifests[0])
    let both = try site.lines(.source)
    #expect(
      both.last
        == "warning newest snapshot: it has no snapshot that can be used: each is damaged, removed, or was never finished\nHINT: Run `holdfast backup orders`."
    )
    #expect(both.count { $0.hasPrefix("failed manifests: ") } >= 2, "\(both)")
  }

  @Test func aSnapshotThatIsTooOldIsNamed() throws {
    func line(_ source: String, hours: Int64) throws -> String {
      let site = Site(source: source)
      site.holdfast("init", "-r", "shop", "--unsealed")
      site.holdfast("backup", "orders")
      return try site.lines(.source, clock: TestHost.clock(ahead: hours * 3600))[1]
    }
    let hint =
      "\nHINT: See why no backup was made: `holdfast status --source orders`, and the log of its schedule."
    let often = "schedule: {full: 1d, incremental: 1h}"
    #expect(try line(often, hours: 2).hasPrefix("ok newest snapshot: "))
    #expect(
      try line(often, hours: 5)
        == "warning newest snapshot: the newest complete snapshot is 5 h old, and one is due every 1 h" + hint)
    let objective = often + ", objectives: {max-age: 4h}"
    #expect(try line(objective, hours: 3).hasPrefix("ok newest snapshot: "))
    #expect(
      try line(objective, hours: 5)
        == "failed newest snapshot: the newest complete snapshot is 5 h old, and 4 h are allowed" + hint)
  }

  @Test func aRepositoryThatIsNotConfiguredIsNamed() throws {
    let site = Site()
    site.configure("sources: {orders: {path: \(site.orders.text)}}")
    let result = site.holdfast("check", "--quiet", variables: ["HOLDFAST_REPOSITORY": site.shop.text])
    #expect(
      site.tool.plain(result.output).contains(
        "warning  newest snapshot  its repository DIR/shop is not below `repositories`, and was not tried\n  HINT: Name it there, or run `holdfast check -r DIR/shop`.\n"
      ), "\(result.output)\(result.error)")
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
