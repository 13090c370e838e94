internal import HoldfastArchive
package import HoldfastConfiguration
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
package import HoldfastSystem

/// A repository and its keys exactly as a command line names them. Nothing has been looked up.
package struct RepositoryRequest: Sendable {
  /// A directory, or a configured name; `nil` when none is given.
  package var repository: String?
  /// The digest that a revision of its keyring must have.
  package var expectedKeyring: String?
  package var keys: KeyRequest

  package init(repository: String? = nil, expectedKeyring: String? = nil, keys: KeyRequest = KeyRequest()) {
    self.repository = repository
    self.expectedKeyring = expectedKeyring
    self.keys = keys
  }
}

/// The repository that a command works on: its location, its keys, and what this machine keeps of it. It is made once
/// from options, environment and configuration, and handed down. Two of them in one process are independent.
package struct RepositoryContext: Sendable {
  package let machine: MachineContext
  /// Its configuration; `nil` when it is not configured, or was named by its path.
  package let configured: RepositorySettings?
  /// The configuration of the chosen source; `nil` when none is configured by that name, or the repository was named by
  /// its path.
  package let configuredSource: SourceSettings?
  package let keys: RepositoryKeys
  /// The configured target that is used: home, unless the command names another one; `nil` when it is not configured.
  package private(set) var target: TargetSettings?
  /// The chosen source, as it was named.
  private let source: SourceName?
  /// The location as it was written; a path is absolute.
  private var spelled: StoreLocation
  /// The name as it was typed, possibly with a mistake.
  private let named: String?
  private let expectedKeyring: String?

  private init(
    _ machine: MachineContext, _ spelled: StoreLocation, _ found: Configured?, named: String?,
    of source: SourceName? = nil, _ request: RepositoryRequest
  ) {
    self.source = source
    self.machine = machine
    self.spelled = spelled
    configured = found?.repository
    target = found?.target
    configuredSource = found?.source
    self.named = named
    keys = RepositoryKeys(request.keys, configured: found?.repository, machine: machine)
    expectedKeyring = request.expectedKeyring
  }

  /// Finds the repository that the command line names, otherwise the environment, otherwise the configuration.
  /// - Parameter source: the chosen source, if several repositories are configured.
  /// - Throws: with exit status 2 when none is named.
  package init(_ request: RepositoryRequest, on machine: MachineContext, of source: SourceName? = nil) throws {
    let environment = machine.environment
    let text = request.repository ?? environment.text("HOLDFAST_REPOSITORY")
    let named = request.repository ?? environment.value("HOLDFAST_REPOSITORY")
    if let found = try Self.configured(text, machine, of: source) {
      self.init(machine, try StoreLocation(found.target.location), found, named: named, of: source, request)
      return
    }
    guard let text, !text.isEmpty else {
      if let forbidden = try machine.loader().forbidden {
        throw ForbiddenConfiguration(
          "no repository is named", forbidden, instead: "Say --repository DIR, or set HOLDFAST_REPOSITORY")
      }
      throw EngineError(
        .usage, "no repository is named", hint: "Say --repository DIR, or set HOLDFAST_REPOSITORY.", exitStatus: .usage)
    }
    self.init(machine, try machine.location(text), nil, named: named, of: source, request)
  }

  /// Finds the repositories that a command means which can show several: the one that is named, or that of the chosen
  /// source; otherwise all that are configured, in the order of the configuration.
  /// - Parameter isForOne: true if the command line says something that makes sense for a single repository only.
  /// - Throws: with exit status 2 when several are configured and the command line is for one.
  package static func all(
    _ request: RepositoryRequest, on machine: MachineContext, of source: SourceName? = nil, isForOne: Bool = false
  ) throws -> [RepositoryContext] {
    let named = [request.repository, request.expectedKeyring].contains { $0 != nil }
    let isNamed = ["HOLDFAST_REPOSITORY", "HOLDFAST_EXPECT_KEYRING"].contains { machine.environment.text($0) != nil }
    guard !named, !isNamed, !isForOne, source == nil, let settings = try machine.loader().load(),
      settings.repositories.count > 1
    else { return [try RepositoryContext(request, on: machine, of: source)] }
    return try settings.repositories.map {
      RepositoryContext(
        machine, try StoreLocation($0.home.location), Configured(repository: $0, source: nil), named: nil, request)
    }
  }

  /// Makes the context for the repository of a configured source.
  package init(
    of source: SourceSettings, in settings: Settings, _ request: RepositoryRequest, on machine: MachineContext
  ) throws {
    let named = settings.repository(source.repository)
    let text = named?.location ?? source.repository
    let location = try machine.location(text)
    let found =
      named.map { Configured(repository: $0, source: source) }
      ?? Configured(at: location, in: settings, on: machine, source: source)
    self.init(machine, location, found, named: text, of: source.name, request)
  }

  /// Makes the context for a configured repository, at home.
  package init(_ repository: RepositorySettings, _ request: RepositoryRequest, on machine: MachineContext) throws {
    self.init(
      machine, try machine.location(repository.location), Configured(repository: repository, source: nil),
      named: nil, request)
  }

  /// The configuration of a repository, and of the chosen source.
  private struct Configured {
    let repository: RepositorySettings
    let target: TargetSettings
    let source: SourceSettings?

    init(repository: RepositorySettings, target: TargetSettings? = nil, source: SourceSettings?) {
      (self.repository, self.target, self.source) = (repository, target ?? repository.home, source)
    }

    /// The repository of which a target is at a location, as home if it is home of any; `nil` when there is none.
    init?(at location: StoreLocation, in settings: Settings, on machine: MachineContext, source: SourceSettings?) {
      let place = machine.place(of: location)
      let homes = settings.repositories.map { ($0, $0.home) }
      let others = settings.repositories.flatMap { repository in repository.others.map { (repository, $0) } }
      guard
        let (repository, target) = (homes + others).first(where: {
          (try? StoreLocation($1.location)).map { machine.place(of: $0) } == place
        })
      else { return nil }
      self.init(repository: repository, target: target, source: source)
    }
  }

  /// The configured repository, if `text` is `nil`, a name, or the location of one of its targets; `nil` if it is
  /// another location.
  private static func configured(
    _ text: String?, _ machine: MachineContext, of source: SourceName?
  ) throws -> Configured? {
    guard let text else { return try only(machine, of: source) }
    guard !text.isEmpty else { return nil }
    let isName =
      !text.utf8.contains(Path.separator) && (try? StoreLocation(text))?.directory != nil
      && (try? machine.host.files.status(of: machine.environment.absolute(text), followLink: true)) == nil
    if isName {
      guard let settings = try machine.loader().load(), let repository = settings.repository(text) else { return nil }
      return Configured(repository: repository, source: source.flatMap { settings.source($0.text) })
    }
    // What is configured for a place (other targets, keys, a lock) counts by whatever name it is called. A mistake in
    // the file keeps nobody from a restore.
    guard let location = try? machine.location(text), let settings = try? machine.loader().load() else { return nil }
    return Configured(
      at: location, in: settings, on: machine, source: source.flatMap { settings.source($0.text) })
  }

  private static func only(_ machine: MachineContext, of source: SourceName?) throws -> Configured? {
    guard let settings = try machine.loader().load() else { return nil }
    let known = source.flatMap { settings.source($0.text) }
    if let known, let its = settings.repository(known.repository) { return Configured(repository: its, source: known) }
    guard settings.repositories.count > 1 else {
      return settings.repositories.first.map { Configured(repository: $0, source: known) }
    }
    let unknown = source.map { "No source \($0) is configured: if it was renamed, say its present name. Or say" }
    throw EngineError(
      .usage, "several repositories are configured: \(settings.repositories.map(\.name).joined(separator: ", "))",
      hint: "\(unknown ?? "Say") --repository with one of these names.", exitStatus: .usage)
  }

  /// Returns the same context at another target of the repository.
  package func on(_ target: TargetSettings) throws -> RepositoryContext {
    var moved = self
    moved.spelled = try StoreLocation(target.location)
    moved.target = target
    return moved
  }

  /// Returns the configured sources that are backed up to it, as the repository calls them; none when it was named by
  /// its path.
  package func configuredSources(in repository: Repository) throws -> [SourceSettings] {
    guard let configured, let settings = try machine.loader().load() else { return [] }
    return try settings.sources.filter { $0.repository == configured.name }.map { source in
      var source = source
      source.name = try repository.names.source(source.name)
      return source
    }
  }

  /// The location; for a directory its path without symbolic links.
  package var location: StoreLocation { machine.place(of: spelled) }

  /// For a command that writes: makes sure that home is meant.
  /// - Throws: with exit status 2 when the location is another target of a configured repository.
  package func checkIsHome() throws {
    guard let configured, let target, target != configured.home else { return }
    throw EngineError(
      .usage, "\(location) is the target \(target.name) of \(configured.name), and only home is written to",
      hint: "Say --repository \(configured.name): its home is \(configured.home.location).", exitStatus: .usage)
  }

  /// The name of the target that is meant; `nil` when the repository is configured without targets, or not at all.
  var targetName: String? { configured?.others.isEmpty == false ? target?.name : nil }

  /// True if this machine locks the objects that it stores.
  package var locksObjects: Bool { get throws { try machine.s3Settings(target?.s3).lock != nil } }

  /// Makes the store of the repository. No request is made yet.
  /// - Parameters:
  ///   - group: the ID of the group with which a new repository is shared.
  ///   - limit: the limit for reading objects.
  /// - Throws: `LocationError` when this build cannot open such a location.
  package func store(sharedWith group: UInt32? = nil, reading limit: RateLimit? = nil) throws -> any Store {
    var options = OpeningOptions()
    (options.group, options.reading) = (group, limit)
    options.isCached = { Keys.isManifest($0) || Keys.isBody($0) }
    options.listedFolders = { Keys.listedFolders($0) }
    options.sshCommand = machine.environment.text("HOLDFAST_SSH_COMMAND") ?? target?.sshCommand
    (options.traffic, options.tell) = (machine.traffic, machine.tell)
    options.s3 = try machine.s3Settings(target?.s3)
    return try machine.schemes.open(spelled, machine.host, options)
  }

  /// Opens it.
  /// - Parameters:
  ///   - limit: the limit for reading objects.
  ///   - olderCopy: true if a copy is accepted that is older than what this machine has seen.
  ///   - source: the source of the run, if that is known: then more is requested at once.
  ///   - takesLease: true if the run will take the lease on that source.
  ///   - looksAround: true if the run will read the snapshots and the journals of all sources.
  ///   - layer: makes the store to use from the store of the repository.
  ///   - warn: gets warnings.
  package func open(
    limit: RateLimit? = nil, olderCopy: Bool = false, for source: SourceName? = nil, takesLease: Bool = false,
    looksAround: Bool = false, under layer: (any Store) -> any Store = { $0 }, warn: (String) -> Void
  ) throws -> Repository {
    guard expectedKeyring != "" else {
      throw EngineError(
        .usage, "the digest that is expected of the keyring is empty",
        hint: "Say the one that `holdfast key list` shows.",
        exitStatus: .usage)
    }
    var repository: Repository
    let own = try store(reading: limit)
    do {
      let opened = try Repository.open(
        layer(own), host: machine.host, credentials: keys.credentials,
        memory: machine.memory(), cache: machine.catalogCache(),
        expectedKeyring: expectedKeyring ?? machine.environment.text("HOLDFAST_EXPECT_KEYRING")
          ?? configured?.expectedKeyring,
        acceptsOlder: olderCopy, for: source, takesLease: takesLease, looksAround: looksAround, target: targetName)
      repository = divided(opened, at: own, reading: limit)
      repository.hostName = { [self, names = repository.names] source in
        machine.hostName(for: source, (try? configuration(of: source, in: names)) ?? nil)
      }
    } catch let error as EngineError where error.exitStatus == .noRepository {
      guard let likely = LikelyRepository(named, on: machine).name else { throw error }
      throw EngineError(
        .usage, error.message, hint: "There is one by the name of \(likely): did you mean --repository \(likely)?",
        exitStatus: .noRepository)
    }
    if olderCopy, repository.keyring.isSealed {
      warn(
        "the repository is not compared with what this machine has seen of it (--older-copy): its newest snapshots, and who may no longer write, may be missing in it"
      )
    }
    if let renamed = try (self.source ?? source).flatMap({ try repository.names.renaming(of: $0) }) { warn(renamed) }
    if let problem = try repository.names.problem() {
      warn("sources may be shown by earlier names: \(problem.message)")
    }
    if let problem = repository.memory?.problem {
      warn(
        "this machine cannot remember the repository, and will not notice if it is exchanged or put back: \(problem); set HOLDFAST_STATE_DIR"
      )
    }
    return repository
  }
}
