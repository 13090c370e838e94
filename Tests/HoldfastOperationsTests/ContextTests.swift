import HoldfastArchive
import HoldfastCodec
import HoldfastConfiguration
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
internal import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What decides which repository is meant, and with which keys, is a value: two of them in one process know nothing of
/// each other, whichever was made or used last.
@Suite struct ContextTests {
  private static let orders = SourceName(from: Path("orders"))
  /// Not root, to whom `/etc/holdfast` belongs.
  private static let user = FileSystem.userID == 0 ? 1000 : FileSystem.userID
  private let directory = TemporaryDirectory()

  /// A machine with nothing around it but what lies in the directory of this test.
  private func machine(_ variables: [String: String] = [:]) -> MachineContext {
    let home = directory.path.description
    let environment = ProcessEnvironment(
      userID: Self.user, hostName: "shop-1", currentDirectory: directory.path
    ) {
      variables[$0] ?? ["HOME": home, "HOLDFAST_CONFIG": home + "/holdfast.yaml"][$0]
    }
    return MachineContext(
      host: Host(workers: 2, scratchDirectories: [directory.path]), environment: environment)
  }

  private func request(_ name: String?, opens: Bool = true) -> RepositoryRequest {
    var keys = KeyRequest()
    (keys.opens, keys.signs) = (opens, true)
    return RepositoryRequest(repository: name, keys: keys)
  }

  /// Two configured repositories, each sealed to keys of its own.
  private func makeTwo() throws -> [String: TestKeys] {
    var text = "repositories:\n"
    var keys: [String: TestKeys] = [:]
    for name in ["day", "night"] {
      let own = try TestKeys()
      keys[name] = own
      let identity = directory.appending(name + ".identity")
      let writer = directory.appending(name + ".writer")
      try machine().keyFiles.write(own.identity.fileText(created: "today"), to: identity)
      try machine().keyFiles.write(own.writer.fileText(created: "today"), to: writer)
      text += "  \(name): {path: \(directory.appending(name)), identity: [\(identity)], writer-key: \(writer)}\n"
    }
    text += "sources:\n  orders: {path: \(directory.appending("orders")), repository: day}\n"
    TestFiles.write(text, to: directory.appending("holdfast.yaml"))
    TestFiles.makeDirectory(directory.appending("orders"))
    for (name, own) in keys {
      let context = try RepositoryContext(request(name), on: machine())
      _ = try Repository.create(
        in: context.store(), host: context.machine.host, sealing: own.sealing, memory: context.machine.memory())
    }
    return keys
  }

  private func open(_ context: RepositoryContext) throws -> Repository {
    try context.open { Issue.record("\($0)") }
  }

  private func backUp(_ repository: Repository) throws -> Envelope {
    TestFiles.write("an order", to: directory.appending("orders").appending("1"))
    var options = Backup.Options(source: directory.appending("orders"))
    options.name = Self.orders
    return try Backup(
      repository: repository, options: options, cache: machine().cache(), progress: QuietProgress()
    ).run().envelope
  }

  @Test func eachRepositoryIsSignedAndOpenedWithItsOwnKeys() throws {
    let keys = try makeTwo()
    let day = try RepositoryContext(request("day"), on: machine())
    let night = try RepositoryContext(request("night"), on: machine())
    // The one that was named first is used last, and the other way round: nothing may rest on what came last.
    let (nightly, daily) = (try open(night), try open(day))
    for (name, context, repository) in [("day", day, daily), ("night", night, nightly), ("day", day, daily)] {
      let own = try #require(keys[name])
      #expect(try context.keys.writer().signing.publicKey == own.writer.signing.publicKey)
      #expect(try backUp(repository).isSealed)
      #expect(try repository.opensNewest(of: Self.orders), "\(name) is opened by its identity")
    }
    #expect(try day.keys.identityOptions { $0 } == ["--identity", "\(directory.appending("day.identity"))"])
    #expect(try night.keys.identityOptions { $0 } == ["--identity", "\(directory.appending("night.identity"))"])
  }

  /// Keys are configured of a repository. One that is named by its path has none, also behind one that has.
  @Test func keysOfAConfiguredRepositoryAreNotThoseOfAPath() throws {
    _ = try makeTwo()
    let day = try RepositoryContext(request("day"), on: machine())
    _ = try backUp(open(day))
    let path = try RepositoryContext(request(directory.appending("day").description), on: machine())
    #expect(path.configured == nil)
    #expect(throws: KeyError.self) { try path.keys.writer() }
    #expect(try open(path).opensNewest(of: Self.orders) == false)
    #expect(try open(day).opensNewest(of: Self.orders))
  }

  @Test func aSourceMeansItsRepository() throws {
    _ = try makeTwo()
    _ = try RepositoryContext(request("night"), on: machine())
    let context = try RepositoryContext(request(nil), on: machine(), of: Self.orders)
    #expect(context.configured?.name == "day")
    let error = #expect(throws: EngineError.self) { try RepositoryContext(request(nil), on: machine()) }
    #expect(error?.message == "several repositories are configured: day, night")
  }

  /// What one command was told with `--config` says nothing of the next one.
  @Test func aNamedConfigurationCountsForItsContextOnly() throws {
    _ = try makeTwo()
    let other = directory.appending("other.yaml")
    TestFiles.write("repositories:\n  third: {path: \(directory.appending("third"))}\n", to: other)
    let named = MachineContext(
      host: machine().host, environment: machine().environment, configurationFile: other.description)
    #expect(try RepositoryContext(request(nil), on: named).configured?.name == "third")
    #expect(try machine().loader().load()?.repositories.map(\.name) == ["day", "night"])
  }

  @Test func whatAMachineKeepsLiesWhereItsEnvironmentSays() throws {
    let home = directory.path
    #expect(try machine().environment.stateDirectory() == home.appending(".local/state/holdfast"))
    #expect(try machine().environment.cacheDirectory() == home.appending(".cache/holdfast"))
    let moved = machine(["HOLDFAST_STATE_DIR": "memory", "XDG_CACHE_HOME": "/srv/cache"]).environment
    #expect(try moved.stateDirectory() == home.appending("memory"), "a relative one begins at the current directory")
    #expect(try moved.cacheDirectory() == Path("/srv/cache/holdfast"))
    #expect(throws: EngineError.self) { try moved.absolute("") }
  }
}
