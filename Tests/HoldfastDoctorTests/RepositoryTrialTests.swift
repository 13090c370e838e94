import HoldfastDoctor
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `check` opens each repository and tries each target, and says what is wrong and what to do.
@Suite struct RepositoryTrialTests {
  @Test func aSoundInstallationIsTriedAndNothingIsLeftBehind() throws {
    let site = Site()
    site.holdfast("init", "-r", "shop", "--unsealed")
    site.holdfast("backup", "orders")
    let before = TestFiles.allFiles(in: site.shop).map(\.text)
    let report = try site.check()
    #expect(
      site.lines(of: report, .repository) == [
        "ok storage: DIR/shop answers in TIME; this host can remove what is stored",
        "ok repository: LONGID is open; it is not sealed and has 1 source",
      ])
    #expect(site.lines(of: report, .keys) == ["notTried writer key: the repository is not sealed, and needs no keys"])
    #expect(
      site.lines(of: report, .source) == [
        "ok directory: DIR/orders: 2 entries can be read; 1 file opened", "ok newest snapshot: begun TIME, full ID",
      ])
    let room = try #require(site.lines(of: report, .room).first)
    #expect(
      room.wholeMatch(
        of: /ok storage: [\d.]+ \w+ are free; too little was stored so far to tell when that ends/) != nil, "\(room)")
    #expect(site.lines(of: report, .clock) == ["ok snapshots of shop: none is from the future"])
    #expect(TestFiles.allFiles(in: site.shop).map(\.text) == before)
  }

  @Test func withoutWritingNothingIsProbed() throws {
    let site = Site()
    site.holdfast("init", "-r", "shop", "--unsealed")
    #expect(
      try site.lines(.repository) { $0.writes = false }.first
        == "ok storage: DIR/shop answers; what it can do was not tried (--no-write)")
  }

  /// A disk that is not mounted fails, and keeps nothing else from being tried.
  @Test func aDirectoryThatIsMissingIsNamed() throws {
    let site = Site()
    let report = try site.check()
    let hint = "HINT: Mount its disk, or correct the location. For a new repository, `holdfast init` makes it."
    #expect(
      site.lines(of: report, .repository) == [
        "failed storage: there is no directory DIR/shop\n\(hint)",
        "failed repository: there is no repository in DIR/shop\nHINT: Is its disk mounted? If it is new, run `holdfast init --repository DIR/shop`; else name another place with --repository.",
      ])
    #expect(
      site.lines(of: report, .source) == [
        "ok directory: DIR/orders: 2 entries can be read; 1 file opened",
        "notTried newest snapshot: the repository is not open",
      ])
    #expect(report.exitStatus == .objectiveMissed)
    #expect(
      try site.lines(.repository) { $0.writes = false }.first
        == "failed storage: there is no directory DIR/shop\nHINT: Mount its disk, or correct the configuration.")
    #expect(!TestFiles.exists(site.shop))
  }

  @Test func anEmptyPlaceHasNoRepository() throws {
    let site = Site()
    TestFiles.makeDirectory(site.shop)
    #expect(
      try site.lines(.repository).first
        == "failed storage: there is no repository in DIR/shop\nHINT: Mount its disk if it should be there; if it is new, run `holdfast init -r shop`."
    )
  }

  @Test func aDamagedDescriptorIsNoEmptyPlace() throws {
    let site = Site()
    site.holdfast("init", "-r", "shop", "--unsealed")
    let descriptor = site.shop.appending("holdfast.json")
    TestFiles.remove(descriptor)
    TestFiles.write("{", to: descriptor)
    #expect(
      try site.lines(.repository).first
        == "failed storage: holdfast.json in DIR/shop is damaged\nHINT: Copy it from another target, or from a copy of the repository: it never changes."
    )
  }

  @Test func eachTargetIsTried() throws {
    let site = Site()
    site.configure(
      """
      repositories:
        shop:
          targets:
            - {name: here, path: \(site.shop.text)}
            - {name: barn, path: \(site.directory.appending("barn").text)}
            - {name: attic, path: \(site.directory.appending("attic").text)}
      sources:
        orders: {path: \(site.orders.text)}
      """)
    site.holdfast("init", "-r", "shop", "--unsealed")
    TestFiles.removeTree(site.directory.appending("barn"))
    TestFiles.makeDirectory(site.directory.appending("barn"))
    TestFiles.removeTree(site.directory.appending("attic"))
    let other = site.directory.appending("other").text
    #expect(site.tool.run("init", "-r", other, "--unsealed").exitStatus == 0)
    TestFiles.removeTree(site.directory.appending("attic"))
    TestFiles.copyTree(Path(other), to: site.directory.appending("attic"))
    let lines = try site.lines(.repository)
    #expect(lines.count == 6, "\(lines)")
    #expect(lines[0].hasPrefix("ok target here: DIR/shop answers in TIME; "), "\(lines[0])")
    #expect(
      lines[1]
        == "failed target barn: there is no repository in DIR/barn\nHINT: Mount its disk if it should be there; if it is new, run `holdfast target add barn -r shop`."
    )
    #expect(lines[4] == "notTried copy at barn: there is no repository that can be compared")
    #expect(
      lines[5]
        == "failed copy at attic: in DIR/attic is another repository, LONGID\nHINT: Correct the location of the target, or empty that place and run `holdfast target add attic`."
    )
  }

  /// A server that never answers costs its own lines, and no others.
  @Test func whatHangsIsLeftBehind() throws {
    let site = Site()
    site.configure(
      """
      repositories:
        shop: {path: \(site.shop.text)}
        far: {url: 'sftp:backup@nas/volume/shop', ssh-command: \(site.hangingCommand().text)}
      sources:
        orders: {path: \(site.orders.text), repository: shop}
      """)
    site.holdfast("init", "-r", "shop", "--unsealed")
    let lines = try site.lines(.repository) { $0.limit = .seconds(2) }
    let hint = "HINT: See whether what it asks answers, and run the same command again."
    #expect(lines[0].hasPrefix("ok storage: "), "\(lines)")
    #expect(lines[2] == "failed storage: it did not end within SECONDS\n\(hint)")
    #expect(lines[3] == "failed repository: it did not end within SECONDS\n\(hint)")
  }

  /// Nagios gives a plugin a minute; what hangs must not keep the line from it, nor the others from being tried.
  @Test func allTrialsTogetherHaveALimit() throws {
    let site = Site()
    site.configure(
      """
      repositories:
        shop: {path: \(site.shop.text)}
        far: {url: 'sftp:backup@nas/volume/shop', ssh-command: \(site.hangingCommand().text)}
      sources:
        orders: {path: \(site.orders.text), repository: shop}
      """)
    site.holdfast("init", "-r", "shop", "--unsealed")
    #expect(site.holdfast("backup").exitStatus == 0)
    let report = try site.check { $0.total = .seconds(4) }
    let lines = site.lines(of: report, .repository)
    #expect(lines[0].hasPrefix("ok storage: ") && lines[1].hasPrefix("ok repository: "), "\(lines)")
    #expect(lines[2].hasPrefix("failed storage: it did not end within "), "\(lines)")
    #expect(site.lines(of: report, .source)[1].hasPrefix("ok newest snapshot: "))
  }

  /// What one trial opens, others use after it has ended.
  @Test(.requires(.sshServer)) func theSnapshotsOfAHomeOnAServerAreRead() throws {
    let site = Site()
    let server = try SSHServer()
    site.configure(
      """
      repositories:
        shop: {url: '\(server.location(site.directory.appending("far")))', ssh-command: '\(server.command())'}
      sources: {orders: {path: \(site.orders.text)}}
      """)
    #expect(site.holdfast("init", "-r", "shop", "--unsealed").exitStatus == 0)
    #expect(site.holdfast("backup", "orders").exitStatus == 0)
    let report = try site.check()
    #expect(site.lines(of: report, .source)[1] == "ok newest snapshot: begun TIME, full ID")
    #expect(site.lines(of: report, .clock) == ["ok snapshots of shop: none is from the future"])
  }

  @Test(.requires(.sshServer)) func aTargetOnAServerIsTriedAndNamedWhenItIsAway() throws {
    let site = Site()
    var server: SSHServer? = try SSHServer()
    let place = try #require(server?.location(site.directory.appending("far")))
    let command = try #require(server?.command())
    site.configure(
      """
      repositories:
        shop:
          targets:
            - {name: here, path: \(site.shop.text)}
            - {name: far, url: '\(place)', ssh-command: '\(command)'}
      sources:
        orders: {path: \(site.orders.text)}
      """)
    #expect(site.holdfast("init", "-r", "shop", "--unsealed").exitStatus == 0)
    let there = try site.lines(.repository)
    #expect(there[1].hasPrefix("ok target far: \(site.tool.plain(place)) answers in TIME; "), "\(there)")
    #expect(there[3] == "ok copy at far: it is the same repository")
    server = nil
    let away = try site.lines(.repository)
    #expect(away[0].hasPrefix("ok target here: ") && away[2].hasPrefix("ok repository: "), "\(away)")
    #expect(away[1].hasPrefix("failed target far: ") && away[1].contains("\nHINT: "), "\(away)")
    #expect(away[3] == "notTried copy at far: there is no repository that can be compared")
  }

  @Test func aSnapshotFromTheFutureIsNamed() throws {
    let site = Site()
    site.holdfast("init", "-r", "shop", "--unsealed")
    site.holdfast("backup", "orders")
    #expect(
      try site.lines(.clock, clock: TestHost.clock(ahead: -7230)) == [
        "warning snapshots of shop: one of orders is dated 2 h after now, TIME\nHINT: Set the clock (`timedatectl`). If it was wrong when the snapshot was taken, the next snapshot mends that."
      ])
  }
}
