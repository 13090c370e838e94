internal import ArgumentParser
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Chooses the repository.
struct RepositoryOptions: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The repository: a directory, sftp:USER@HOST/PATH, s3:https://HOST/BUCKET, or a configured name. (environment: HOLDFAST_REPOSITORY; default: the configured repository)",
      valueName: "dir"), completion: .directory)
  var repository: String?

  @Option(
    help: ArgumentHelp("Read only this configuration file. (environment: HOLDFAST_CONFIG)", valueName: "file"),
    completion: .file(extensions: ["yaml"]))
  var config: String?

  @Option(
    help: ArgumentHelp(
      "Refuse a repository unless one of its keyring revisions has this digest. (environment: HOLDFAST_EXPECT_KEYRING)",
      valueName: "digest"))
  var expectKeyring: String?

  /// Returns the chosen repository, with the keys that the command needs.
  /// - Parameters:
  ///   - identity: the options of identities, which open sealed objects.
  ///   - writer: the options of the writer key, which signs.
  ///   - asks: true if a passphrase may be asked for on the terminal.
  ///   - source: the chosen source, if several repositories are configured.
  /// - Throws: with exit status 2 when no repository is named.
  func context(
    _ machine: MachineContext, identity: IdentityOptions? = nil, writer: WriterOptions? = nil, asks: Bool = false,
    of source: SourceName? = nil
  ) throws -> RepositoryContext {
    try RepositoryContext(
      request(machine, identity: identity, writer: writer, asks: asks), on: machine, of: source)
  }

  /// Returns the repositories of a command that can show several: all that are configured, unless one is named.
  /// - Parameter isForOne: true if the command line says something that makes sense for a single repository only.
  /// - Throws: with exit status 2 when no repository is named.
  func contexts(
    _ machine: MachineContext, identity: IdentityOptions? = nil, writer: WriterOptions? = nil,
    of source: SourceName? = nil, isForOne: Bool = false
  ) throws -> [RepositoryContext] {
    try RepositoryContext.all(
      request(machine, identity: identity, writer: writer), on: machine, of: source, isForOne: isForOne)
  }

  /// Returns the repository and its keys as the command line names them.
  func request(
    _ machine: MachineContext, identity: IdentityOptions? = nil, writer: WriterOptions? = nil, asks: Bool = false
  ) -> RepositoryRequest {
    var keys = KeyRequest()
    if let identity {
      keys.opens = true
      (keys.identities, keys.identityCommand) = (identity.identity, identity.identityCommand)
      let cancellation = machine.host.cancellation
      if asks { keys.askPassphrase = { try Passphrase.fromTerminal(isNew: false, cancellation) } }
    }
    if let writer {
      keys.signs = true
      keys.writerKey = writer.writerKey
    }
    return RepositoryRequest(repository: repository, expectedKeyring: expectKeyring, keys: keys)
  }
}

/// The options of every command for its output.
struct OutputOptions: ParsableArguments {
  @Flag(name: .long, help: "Print results as JSON on standard output.")
  var json = false

  @Flag(name: [.short, .long], help: "Print only errors and warnings.")
  var quiet = false
}

/// Chooses the target that is read, and accepts an older copy of the repository.
struct CopyOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Read from this target alone. (default: home, or where that does not answer, the next target that does)",
      valueName: "target"))
  var from: String?

  @Flag(
    help:
      "Accept a copy of the repository that is older than what this machine has seen, such as last night's on another disk."
  )
  var olderCopy = false
}

/// Chooses how long a run waits for targets that it does not need.
struct LingerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Wait at the end for so long, such as 1m, for other targets that are slower, once min-copies have the snapshot. (default: as configured, else 10s)",
      valueName: "time"),
    transform: TimeSpan.argument)
  var linger: TimeSpan?
}

/// Limits the rate of reading.
struct RateOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Read at most this many bytes per second, such as \(ByteRate.examples): a backup from the source, other commands from the repository. (environment: HOLDFAST_LIMIT_RATE)",
      valueName: "rate"))
  var limitRate: ByteRate?

  func limit(_ machine: MachineContext) throws -> RateLimit? {
    let rate =
      try limitRate ?? machine.environment.parsed("HOLDFAST_LIMIT_RATE", ByteRate.examples) { ByteRate($0) }
    return machine.limit(rate)
  }
}

extension TimeSpan {
  /// Parses an option. The error says what is allowed.
  static func argument(_ text: String) throws -> TimeSpan {
    guard let span = TimeSpan(text) else { throw ValidationError(allowed) }
    return span
  }
}

extension ByteRate: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

extension ParityShare: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
  static var defaultCompletionKind: CompletionKind { .list(["none", "2%", "5%", "10%"]) }
}

/// Chooses a source.
struct SourceOptions: ParsableArguments {
  @Option(name: .long, help: ArgumentHelp("Only snapshots of this source.", valueName: "name"))
  var name: SourceName?
}

extension SnapshotSelector.Name: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

extension SourceName: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
  static var defaultCompletionKind: CompletionKind { Candidates.sources }
}
