import HoldfastArchive
import HoldfastCodec
import HoldfastConfiguration
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
internal import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What decides which repository is meant, and with which keys, is a value: two of them in one process know nothing of
/// each other, whichever was made or used last.
@Suite struct ContextTests {
  private let site = Site()

  /// Two configured repositories, each sealed to keys of its own.
  private func makeTwo() throws -> [String: TestKeys] {
    var text = "repositories:\n"
    var keys: [String: TestKeys] = [:]
    for name in ["day", "night"] {
      let own = try TestKeys()
      keys[name] = own
      let identity = site.directory.appending(name + ".identity")
      let writer = site.directory.appending(name + ".writer")
      try site.machine().keyFiles.write(own.identity.fileText(created: "today"), to: identity)
      try site.machine().keyFiles.write(own.writer.fileText(created: "today"), to: writer)
      text +=
        "  \(name): {path: \(site.directory.appending("backup").appending(name)), identity: [\(identity)], writer-key: \(writer)}\n"
    }
    text += "sources:\n  orders: {path: \(site.directory.appending("orders")), repository: day}\n"
    site.configure(text)
    TestFiles.makeDirectory(site.directory.appending("orders"))
    for (name, own) in keys {
      let context = try RepositoryContext(site.request(name), on: site.machine())
      _ = try Repository.create(
        in: context.store(), host: context.machine.host, sealing: own.sealing, memory: context.machine.memory())
    }
    return keys
  }

  private func open(_ context: RepositoryContext) throws -> Repository {
    try context.open { Issue.record("\($0)") }
  }

  private func backUp(_ repository: Repository) throws -> Envelope {
    TestFiles.write("an order", to: site.directory.appending("orders").appending("1"))
    var options = Backup.Options(source: site.directory.appending("orders"))
    options.name = Site.orders
    return try Backup(
      repository: repository, options: options, cache: site.machine().cache(), progress: QuietProgress()
    ).run().envelope
  }

  /// A lock that is configured for a bucket counts also when the bucket is named by its location.
  @Test func aBucketIsTheConfiguredOneByWhateverNameItIsCalled() throws {
    let location = "s3:https://s3.example/orders/shop"
    site.configure("repositories: {shop: {url: \(location), lock: {mode: compliance, days: 30}}}\n")
    for name in ["shop", location] {
      let context = try RepositoryContext(site.request(name), on: site.machine())
      #expect(try context.configured?.name == "shop" && context.locksObjects)
    }
    let other = try RepositoryContext(site.request(location + "/other"), on: site.machine())
    #expect(try other.configured == nil && !other.locksObjects)
    // A restore by its location does not depend on a file with mistakes.
    site.configure("repositories: [\n")
    #expect(try RepositoryContext(site.request(location), on: site.machine()).configured == nil)
  }

  @Test func eachRepositoryIsSignedAndOpenedWithItsOwnKeys() throws {
    let keys = try makeTwo()
    let day = try RepositoryContext(site.request("day"), on: site.machine())
    let night = try RepositoryContext(site.request("night"), on: site.machine())
    // The one that was named first is used last, and the other way round: nothing may rest on what came last.
    let (nightly, daily) = (try open(night), try open(day))
    for (name, context, repository) in [("day", day, daily), ("night", night, nightly), ("day", day, daily)] {
      let own = try #require(keys[name])
      #expect(try context.keys.writer().signing.publicKey == own.writer.signing.publicKey)
      #expect(try backUp(repository).isSealed)
      #expect(try repository.catalog.opensNewest(of: Site.orders), "\(name) is opened by its identity")
    }
    #expect(try day.keys.identityOptions { $0 } == ["--identity", "\(site.directory.appending("day.identity"))"])
    #expect(try night.keys.identityOptions { $0 } == ["--identity", "\(site.directory.appending("night.identity"))"])
  }

  /// Keys are configured of a repository, by whatever name it is called. Another path has none.
  @Test func aPathIsTheRepositoryThatIsConfiguredThere() throws {
    _ = try makeTwo()
    let backup = site.directory.appending("backup")
    TestFiles.symbolicLink("day", at: backup.appending("link"))
    for name in ["day", "day/", "link", "../backup/day"] {
      let context = try RepositoryContext(site.request(backup.description + "/" + name), on: site.machine())
      #expect(context.configured?.name == "day", "\(name)")
      #expect(context.target == context.configured?.home)
      _ = try backUp(open(context))
      #expect(try open(context).catalog.opensNewest(of: Site.orders))
    }
    let other = try RepositoryContext(site.request(backup.appending("copy").description), on: site.machine())
    #expect(other.configured == nil)
    #expect(throws: KeyError.self) { try other.keys.writer() }
    // A restore by its path does not depend on a file with mistakes.
    site.configure("repositories: [\n")
    let unread = try RepositoryContext(site.request(backup.appending("day").description), on: site.machine())
    #expect(unread.configured == nil)
  }

  /// The place of another target is that target, and not home: it is only read. A place that is home of one repository
  /// and another target of the next is home.
  @Test func anotherTargetIsNotHome() throws {
    let place = { (name: String) in site.directory.appending(name).description }
    site.configure(
      "repositories:\n  shop: {targets: [{name: here, path: \(place("a"))}, {name: barn, path: \(place("b"))}]}\n"
        + "  night: {path: \(place("c"))}\n")
    let home = try RepositoryContext(site.request(place("a")), on: site.machine())
    #expect(RepositoryTargets(home).others.map(\.name) == ["barn"])
    try home.checkIsHome()
    let barn = try RepositoryContext(site.request(place("b")), on: site.machine())
    #expect(barn.configured?.name == "shop" && barn.target?.name == "barn" && RepositoryTargets(barn).others.isEmpty)
    let error = #expect(throws: EngineError.self) { try barn.checkIsHome() }
    #expect(error?.message == "\(place("b")) is the target barn of shop, and only home is written to")
    #expect(error?.hint == "Say --repository shop: its home is \(place("a")).")
    #expect(error?.exitStatus == .usage)
  }

  @Test func aSourceMeansItsRepository() throws {
    _ = try makeTwo()
    _ = try RepositoryContext(site.request("night"), on: site.machine())
    let context = try RepositoryContext(site.request(nil), on: site.machine(), of: Site.orders)
    #expect(context.configured?.name == "day")
    #expect(context.configuredSource?.name == Site.orders)
    let named = try RepositoryContext(site.request("night"), on: site.machine(), of: Site.orders)
    #expect(named.configured?.name == "night" && named.configuredSource?.name == Site.orders)
    let path = site.directory.appending("backup").appending("day").description
    let unread = try RepositoryContext(site.request(path), on: site.machine(), of: Site.orders)
    #expect(unread.configured?.name == "day" && unread.configuredSource?.name == Site.orders, "a path is a name too")
    let error = #expect(throws: EngineError.self) { try RepositoryContext(site.request(nil), on: site.machine()) }
    #expect(error?.message == "several repositories are configured: day, night")
  }

  /// What one command was told with `--config` says nothing of the next one.
  @Test func aNamedConfigurationCountsForItsContextOnly() throws {
    _ = try makeTwo()
    let other = site.directory.appending("other.yaml")
    TestFiles.write("repositories:\n  third: {path: \(site.directory.appending("third"))}\n", to: other)
    let named = MachineContext(
      host: site.machine().host, environment: site.machine().environment, configurationFile: other.description)
    #expect(try RepositoryContext(site.request(nil), on: named).configured?.name == "third")
    #expect(try site.machine().loader().load()?.repositories.map(\.name) == ["day", "night"])
  }

  @Test func whatAMachineKeepsLiesWhereItsEnvironmentSays() throws {
    let home = site.directory.path
    #expect(try site.machine().environment.stateDirectory() == home.appending(".local/state/holdfast"))
    #expect(try site.machine().environment.cacheDirectory() == home.appending(".cache/holdfast"))
    let moved = site.machine(["HOLDFAST_STATE_DIR": "memory", "XDG_CACHE_HOME": "/srv/cache"]).environment
    #expect(try moved.stateDirectory() == home.appending("memory"), "a relative one begins at the current directory")
    #expect(try moved.cacheDirectory() == Path("/srv/cache/holdfast"))
    #expect(throws: EngineError.self) { try moved.absolute("") }
  }
}
