import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// The names of sources are in every target, and only who may prune changes them. Two who rename at once do not both
/// win, and a machine that has seen a rename notices that it was taken back.
@Suite struct SourceRenameTests {
  private static let old = SourceName(from: Path("source"))
  private static func name(_ text: String) -> SourceName { SourceName(from: Path(text)) }

  @discardableResult
  private func rename(_ home: Repository, _ from: String = "source", to name: String) throws -> SourceName {
    try home.names.rename(
      Self.name(from), to: Self.name(name), among: home.catalog.sourceNames(),
      first: SourceNames(
        repository: home.id, isSealed: home.keyring.isSealed, time: RecordedTime(home.host.clock.now())))
  }

  private func names(_ shop: ListedShop, _ target: String) throws -> [String] {
    try shop.open(target).catalog.sourceNames().map(\.text)
  }

  @Test(arguments: [false, true]) func everyTargetGetsThem(isSealed: Bool) throws {
    let shop = try ListedShop(isSealed: isSealed)
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(at: "home")
    for target in ["cloud", "barn"] { #expect(try shop.sync(target).isInStep) }
    try rename(shop.open("home"), to: "orders")
    #expect(try names(shop, "home") == ["orders"] && names(shop, "cloud") == ["source"], "cloud is behind")
    // A host that stands in for home and has the older names goes on with the same history.
    #expect(throws: EngineError.self) { try shop.backup(at: "home") }
    let away = try shop.backup(at: "cloud")
    #expect(away == 1001)
    #expect(try shop.sync("cloud").isInStep)
    #expect(try names(shop, "cloud") == ["orders"] && shop.expectSound("home") == [1, 1001])
    #expect(try shop.open("home").catalog.allSnapshots { _ in }.map(\.sourceName.text) == ["orders", "orders"])
    #expect(try shop.expectSound("cloud") == [1, 1001])
  }

  @Test func theSecondOfTwoIsTold() throws {
    let shop = try ListedShop()
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(at: "home")
    let home = try shop.open("home")
    let second = try shop.open("home")
    let first = SourceNames(repository: home.id, isSealed: false, time: RecordedTime(home.host.clock.now()))
    var mine = first
    _ = mine.rename("source", to: "orders")
    var theirs = first
    _ = theirs.rename("source", to: "letters")
    _ = try second.names.store.revisions()
    try home.names.store.publish(mine)
    #expect(
      shown { try second.names.store.publish(theirs) } == """
        the names of sources were changed by another run meanwhile
        HINT: Run the same command again.
        """)
    #expect(try names(shop, "home") == ["orders"])
  }

  @Test func namesThatHaveGoneTwoWaysStopEverything() throws {
    let shop = try ListedShop()
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(at: "home")
    #expect(try shop.sync("cloud").isInStep)
    try rename(shop.open("cloud"), to: "letters")
    #expect(
      try shop.sync("cloud").failure?.message == "memory has revision 1 of the names of sources, which is not in memory"
    )
    try rename(shop.open("home"), to: "orders")
    #expect(
      try shop.sync("cloud").failure?.message
        == "revision 1 of the names of sources in memory is another one than in memory")
  }

  /// Who may add snapshots cannot call a source by another name; nor can who was revoked.
  @Test func onlyWhoMayPruneRenames() throws {
    let shop = try ListedShop(isSealed: true)
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(at: "home")
    let other = try WriterKey()
    var change = try KeyringChange(shop.open("home"))
    try change.enrol(Keyring.Writer(name: "shop-2", key: other.signing.publicKey))
    _ = try change.publish()
    let home = try shop.open("home")
    var names = SourceNames(repository: home.id, isSealed: true, time: RecordedTime(home.host.clock.now()))
    names.revision = 1
    _ = names.rename("source", to: "orders")
    let key = Keys.names(1)
    try shop.store("home").contents[key] = names.serialized(signedBy: other.signing)
    #expect(try self.names(shop, "home") == ["source"])
    let report = try shop.shop.verify(in: shop.open("home"))
    #expect(report.others.map(\.object) == [key] && report.exitStatus == .repairableDamage)
    // A backup stops: a name that cannot be read may belong to another source.
    #expect(throws: EngineError.self) { try shop.backup(at: "home") }
    try shop.store("home").contents[key] = nil
    try rename(shop.open("home"), to: "orders")
    var revocation = try KeyringChange(shop.open("home"))
    _ = try revocation.revokeWriter(TestKeys.writerName)
    _ = try revocation.publish()
    #expect(try self.names(shop, "home") == ["orders"], "what he has said before counts")
    let known = try #require(try shop.open("home").names.store.revisions().last)
    var forged = known.contents
    (forged.revision, forged.previous) = (2, known.digest)
    _ = forged.rename("source", to: "letters")
    let writer = try #require(shop.shop.keys).writer.signing
    try shop.store("home").contents[Keys.names(2)] = forged.serialized(signedBy: writer)
    #expect(try self.names(shop, "home") == ["orders"])
    #expect(throws: DamageError.self) { try shop.open("home").names.store.revisions() }
  }

  /// What is stored under a name of another source has a name of the form of a name, however long that is.
  @Test(arguments: [1, 56, 57, 58, 64]) func whatWentAstrayHasAName(length: Int) throws {
    let given = String(repeating: "x", count: length)
    var names = SourceNames(
      repository: try ListedShop().open("home").id, isSealed: false, time: RecordedTime(Clock.system.now()))
    _ = names.rename("orders", to: "shop")
    _ = names.rename("orders", to: given)
    let astray = SourceNames.astrayNames(of: given)
    #expect(astray.count == (length > 57 ? 1 : 2) && astray.allSatisfy { SourceName($0) != nil })
    #expect(astray.map { names.astraySource(called: $0) } == astray.map { _ in given })
    #expect(names.astraySource(called: "orders.stored") == nil, "orders is stored under that name itself")
    #expect(names.astraySource(called: given) == nil)
  }

  /// A source that is stored under a name with `.stored` keeps it: what went astray is called otherwise.
  @Test func noRealSourceIsHidden() throws {
    let shop = try ListedShop()
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(at: "home")
    try rename(shop.open("home"), to: "orders")
    func make(_ name: String) throws {
      try shop.store("home").contents["\(Keys.source(Self.name(name)))0000000001/manifest.json"] = [1]
    }
    try make("orders")
    let names = try shop.open("home").names
    #expect(try names.source(Self.name("orders.stored")).key == "orders")
    #expect(try names.source(stored: Self.name("orders")).text == "orders.stored")
    #expect(throws: EngineError.self) { try names.sourceToBackUp(Self.name("orders.stored")) }
    try make("orders.stored")
    #expect(try names.source(Self.name("orders.stored")).key == "orders.stored")
    let other = try names.source(stored: Self.name("orders"))
    #expect(other.text != "orders.stored" && other.text.hasSuffix(".stored"))
    #expect(try names.source(Self.name(other.text)).key == "orders")
    #expect(try names.source(stored: Self.name("orders.stored")).text == "orders.stored")
  }

  /// While names are damaged, log goes only where log of the source is, or where a sound name says.
  @Test func noLogGoesAstrayWhileNamesAreDamaged() throws {
    let shop = try ListedShop()
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(at: "home")
    try rename(shop.open("home"), to: "orders")
    try rename(shop.open("home"), to: "letters")
    try shop.store("home").contents[Keys.names(2)]?[20] ^= 1
    try shop.store("home").contents["\(Keys.wal(Self.name("known")))1/history/00000002.history.json"] = [1]
    let names = try shop.open("home").names
    for (name, key) in [("source", "source"), ("orders", "source"), ("known", "known")] {
      #expect(try names.sourceToArchive(Self.name(name)).key == key)
    }
    let message = shown { _ = try names.sourceToArchive(Self.name("letters")) }
    #expect(message.hasPrefix("not all names of sources can be read: names/0000000002.json is damaged"), "\(message)")
    #expect(message.contains("HINT: Run `holdfast scrub --repair`"), "\(message)")
    #expect(shown { _ = try names.sourceToBackUp(Self.name("letters")) } == message)
  }

  /// A revision that could not be read again is not stored.
  @Test func nothingIsStoredThatIsTooLongToBeRead() throws {
    let shop = try ListedShop()
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(at: "home")
    let home = try shop.open("home")
    var names = SourceNames(repository: home.id, isSealed: false, time: RecordedTime(home.host.clock.now()))
    for index in 0...1001 { _ = names.rename("source", to: "name-\(index)") }
    #expect(!names.isWithinLimits)
    #expect(
      shown { _ = try home.names.rename(Self.name("source"), to: Self.name("last"), among: [], first: names) }
        .hasPrefix("the source source gets no other name"))
    names = SourceNames(repository: home.id, isSealed: false, time: RecordedTime(home.host.clock.now()))
    _ = names.rename("source", to: "orders")
    names.features = [String(repeating: "x", count: 9 << 20)]
    #expect(shown { try home.names.store.publish(names) }.contains("would be longer than this version reads"))
    #expect(try shop.store("home").contents[Keys.names(1)] == nil)
  }

  @Test func aMachineNoticesThatARenameWasTakenBack() throws {
    let shop = try ListedShop(isSealed: true)
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(at: "home")
    let memory = ClientMemory(directory: shop.shop.directory.appending("memory of another"))
    func open() throws -> Repository {
      try Repository.open(
        shop.store("home"), host: shop.shop.host, credentials: shop.shop.keys?.credentials() ?? .none, memory: memory,
        target: "home")
    }
    try rename(open(), to: "orders")
    #expect(try open().names.problem() == nil)
    try shop.store("home").contents[Keys.names(1)] = nil
    #expect(
      try open().names.problem()?.message
        == "names/0000000001.json is damaged: it is missing, and this machine has seen it: the repository was put back")
    #expect(throws: EngineError.self) { try shop.shop.backup(in: open()) }
    // Reading goes on, by the name under which it is stored.
    #expect(try open().catalog.knownSources(Self.old).map(\.text) == ["source"])
  }

  @Test func aScrubMendsThem() throws {
    let shop = try ListedShop()
    TestFiles.write("one", to: shop.shop.source.appending("one"))
    try shop.backup(at: "home")
    try rename(shop.open("home"), to: "orders")
    #expect(try shop.sync("cloud").isInStep)
    let right = try #require(try shop.store("home").contents[Keys.names(1)])
    try shop.store("cloud").contents[Keys.names(1)]?[20] ^= 1
    var options = Scrub.Options()
    func scrub() throws -> [ScrubResult] {
      let places = try ListedShop.names.map {
        Scrub.Place($0, at: $0, isHome: $0 == "home", .success(try shop.store($0)))
      }
      let reference = try Repository.open(shop.store("home"), host: shop.shop.host, target: "home")
      return try Scrub(places, reference: reference, openedAt: "home", options).run()
    }
    let found = try scrub()
    #expect(found.map { $0.allFindings.map(\.object) } == [[], [Keys.names(1)], []])
    #expect(found.map(\.hasOldNames) == [false, false, true])
    options.repairs = true
    #expect(try scrub().allSatisfy { $0.exitStatus == .done })
    for target in ListedShop.names { #expect(try shop.store(target).contents[Keys.names(1)] == right, "\(target)") }
  }
}
