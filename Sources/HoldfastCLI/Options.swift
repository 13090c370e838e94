internal import ArgumentParser
internal import Glibc
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastStore
internal import HoldfastSystem

/// Where the repository is.
struct RepositoryOptions: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The repository: a directory, or the name of a configured one. (environment: HOLDFAST_REPOSITORY; default: the configured one)",
      valueName: "dir"), completion: .directory)
  var repository: String?

  @Option(
    help: ArgumentHelp("Read this configuration and no other. (environment: HOLDFAST_CONFIG)", valueName: "file"),
    completion: .file(extensions: ["yaml"]))
  var config: String?

  @Option(
    help: ArgumentHelp(
      "Refuse a repository that has no revision of its keyring with this digest. (environment: HOLDFAST_EXPECT_KEYRING)",
      valueName: "digest"))
  var expectKeyring: String?

  /// Where it lies, without symbolic links on the way.
  /// - Parameter source: of which source, for whoever has configured several repositories.
  /// - Throws: with exit status 2 when none is named.
  func directory(_ host: Host, of source: SourceName? = nil) throws -> Path {
    let spelled = try spelledDirectory(host, of: source)
    return host.files.names(of: spelled).last ?? spelled
  }

  private func spelledDirectory(_ host: Host, of source: SourceName?) throws -> Path {
    let named = repository ?? Environment.value("HOLDFAST_REPOSITORY").flatMap { $0.isEmpty ? nil : $0 }
    if let configured = try configured(named, host, of: source) {
      ConfiguredRepository.use(configured)
      return configured.path
    }
    guard let named, !named.isEmpty else {
      if let forbidden = try SiteConfiguration.loader(host, named: config).forbidden {
        throw ForbiddenConfiguration(
          "no repository is named", forbidden, instead: "Say --repository DIR, or set HOLDFAST_REPOSITORY")
      }
      throw EngineError(
        "no repository is named", hint: "Say --repository DIR, or set HOLDFAST_REPOSITORY.", exitStatus: .usage)
    }
    return try Environment.absolute(named)
  }

  /// - Parameter group: the ID of a group with which a new repository is shared.
  func store(_ host: Host, of source: SourceName? = nil, sharedWith group: UInt32? = nil) throws -> LocalStore {
    LocalStore(directory: try spelledDirectory(host, of: source), host: host, sharedWith: group)
  }

  /// - Parameter credentials: the keys for a sealed one.
  /// - Parameter limit: how fast objects are read.
  /// - Parameter source: of which source, for whoever has configured several repositories.
  func open(
    _ host: Host, credentials: Credentials = .none, limit: RateLimit? = nil, of source: SourceName? = nil,
    olderCopy: Bool = false
  ) throws -> Repository {
    guard expectKeyring != "" else {
      throw EngineError(
        "the digest that is expected of the keyring is empty", hint: "Say the one that `holdfast key list` shows.",
        exitStatus: .usage)
    }
    let environment = Environment.value("HOLDFAST_EXPECT_KEYRING").flatMap { $0.isEmpty ? nil : $0 }
    let store = try store(host, of: source)
    let repository: Repository
    do {
      repository = try Repository.open(
        limit.map { RateLimitedStore(store, $0) } ?? store, host: host, credentials: credentials,
        memory: ClientMemory(directory: try Environment.stateDirectory()),
        expectedKeyring: expectKeyring ?? environment ?? ConfiguredRepository.current?.expectedKeyring,
        acceptsOlder: olderCopy)
    } catch let error as EngineError where error.exitStatus == .noRepository {
      guard let likely = likelyRepository(host) else { throw error }
      throw EngineError(
        error.message, hint: "There is one by the name of \(likely): did you mean --repository \(likely)?",
        exitStatus: .noRepository)
    }
    if olderCopy, repository.sealed != nil {
      Console.error(
        "holdfast: WARNING: the repository is not compared with what this machine has seen of it (--older-copy): its newest snapshots, and who may no longer write, may be missing in it"
      )
    }
    if let problem = repository.memoryProblem {
      Console.error(
        "holdfast: WARNING: this machine cannot remember the repository, and will not notice if it is exchanged or put back: \(problem); set HOLDFAST_STATE_DIR"
      )
    }
    return repository
  }
}

/// What every command understands about its output.
struct OutputOptions: ParsableArguments {
  @Flag(name: .long, help: "Print results as JSON on standard output.")
  var json = false

  @Flag(name: [.short, .long], help: "No progress, no remarks: only errors and warnings.")
  var quiet = false
}

/// Whether what this machine remembers counts.
struct CopyOptions: ParsableArguments {
  @Flag(
    help:
      "Read a copy of the repository that is older than what this machine has seen of it, such as last night's on another disk."
  )
  var olderCopy = false
}

/// How fast to read.
struct RateOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Read at most so many bytes a second, such as 500K, 20M or 1GiB: a backup from the source, others from the repository. (environment: HOLDFAST_LIMIT_RATE)",
      valueName: "rate"))
  var limitRate: ByteRate?

  func limit(_ host: Host) throws -> RateLimit? { Self.limit(try rate, host) }

  static func limit(_ rate: ByteRate?, _ host: Host) -> RateLimit? {
    rate.map { RateLimit($0, clock: host.clock, cancellation: host.cancellation) }
  }

  private var rate: ByteRate? {
    get throws { try limitRate ?? Environment.parsed("HOLDFAST_LIMIT_RATE", "500K, 20M or 1GiB") { ByteRate($0) } }
  }
}

extension ByteRate: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

/// Of which source.
struct SourceOptions: ParsableArguments {
  @Option(name: .long, help: ArgumentHelp("Only snapshots of this source.", valueName: "name"))
  var name: SourceName?
}

extension SourceName: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
  static var defaultCompletionKind: CompletionKind { Candidates.sources }
}

/// The environment, read here and nowhere else.
enum Environment {
  static func value(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  /// What a variable says; `nil` where it is not set, or empty.
  /// - Parameter allowed: for whoever set it to something else.
  static func parsed<Value>(_ name: String, _ allowed: String, _ parse: (String) -> Value?) throws -> Value? {
    guard let text = value(name), !text.isEmpty else { return nil }
    guard let parsed = parse(text) else {
      throw EngineError(
        "\(name) is \"\(Path(text))\"", hint: "Set it to something like \(allowed), or unset it.", exitStatus: .usage)
    }
    return parsed
  }

  /// - Throws: also where the text is empty: what stands for nothing must not become the current directory.
  static func absolute(_ text: String) throws -> Path {
    guard !text.isEmpty else {
      throw EngineError(
        "a path is empty", hint: "Name one; if it comes from a variable, see whether that is set.", exitStatus: .usage)
    }
    let path = Path(text)
    guard !path.isAbsolute else { return path }
    guard let current = getcwd(nil, 0) else {
      throw EngineError("the current directory does not exist", hint: "Change into one that does.")
    }
    defer { free(current) }
    return Path(String(cString: current)).appending(path.bytes)
  }

  /// Where this program lies.
  static func program(_ host: Host) throws -> Path {
    do throws(SystemError) {
      return try host.files.resolve(Path("/proc/self/exe"))
    } catch {
      guard error.isNotFound else { throw error }
      throw EngineError(
        "where this program lies cannot be told: /proc is not mounted",
        hint: "Mount it: mount -t proc proc /proc")
    }
  }

  /// Where the local state cache lies: `HOLDFAST_CACHE_DIR`, `XDG_CACHE_HOME/holdfast`, `~/.cache/holdfast`, for root without a home `/var/cache/holdfast`.
  static func cacheDirectory() throws -> Path? {
    if let directory = value("HOLDFAST_CACHE_DIR"), !directory.isEmpty { return try absolute(directory) }
    if let directory = value("XDG_CACHE_HOME"), directory.hasPrefix("/") {
      return Path(directory).appending("holdfast")
    }
    if let home = value("HOME"), home.hasPrefix("/") { return Path(home).appending(".cache").appending("holdfast") }
    return geteuid() == 0 ? Path("/var/cache/holdfast") : nil
  }

  /// Where this machine remembers the repositories that it has used: `HOLDFAST_STATE_DIR`, `XDG_STATE_HOME/holdfast`, `~/.local/state/holdfast`, for root without
  /// a home `/var/lib/holdfast`.
  static func stateDirectory() throws -> Path? {
    if let directory = value("HOLDFAST_STATE_DIR"), !directory.isEmpty { return try absolute(directory) }
    if let directory = value("XDG_STATE_HOME"), directory.hasPrefix("/") {
      return Path(directory).appending("holdfast")
    }
    if let home = value("HOME"), home.hasPrefix("/") {
      return Path(home).appending(".local").appending("state").appending("holdfast")
    }
    return isRoot ? Path("/var/lib/holdfast") : nil
  }

  /// Where the writer key lies: for root `/etc/holdfast`, else `XDG_CONFIG_HOME/holdfast` or `~/.config/holdfast`.
  static func configurationDirectory() -> Path? {
    if isRoot { return Path("/etc/holdfast") }
    if let directory = value("XDG_CONFIG_HOME"), directory.hasPrefix("/") {
      return Path(directory).appending("holdfast")
    }
    return value("HOME").flatMap { $0.hasPrefix("/") ? Path($0).appending(".config").appending("holdfast") : nil }
  }

  /// What this machine is called, for people.
  static func hostName() -> String {
    var bytes = [CChar](repeating: 0, count: 65)
    guard gethostname(&bytes, bytes.count - 1) == 0 else { return "first" }
    let name = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return Keyring.isName(name) ? name : "first"
  }

  /// An empty connection string where libpq's own variables say how to reach a server; `nil` where none does.
  static var postgres: String? {
    let names = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGDATABASE", "PGUSER"]
    return names.contains { !(value($0) ?? "").isEmpty } ? "" : nil
  }

  static var isRoot: Bool { geteuid() == 0 }

  /// Whether cron has started this run, as `schedule` has written.
  static var isScheduled: Bool { value(Schedule.variable).map { !$0.isEmpty } ?? false }

  /// The machine to work on, with signals turned into a cancellation.
  static func makeHost() -> Host {
    occupyStandardDescriptors()
    waitForChildren()
    raiseOpenFileLimit()
    Memory.keepFromDumps()
    let cancellation = Cancellation()
    cancellation.raiseOnSignals()
    let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    let temporary = value("TMPDIR").map { Path($0) } ?? Path("/tmp")
    return Host(
      cancellation: cancellation, workers: min(16, processors),
      scratchDirectories: [temporary, Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")])
  }

  /// Whoever starts us may have closed them. Then the next file that is opened gets the number, and messages would be written into it:
  /// into the repository, say.
  private static func occupyStandardDescriptors() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is taken, and those below are taken already.
      _ = open("/dev/null", O_RDWR)
    }
  }

  /// Whoever starts us may ignore SIGCHLD, and we inherit that: then the kernel tells nobody how a command has ended (wait(2)).
  private static func waitForChildren() { signal(SIGCHLD, SIG_DFL) }

  /// A deep source needs an open directory a level.
  private static func raiseOpenFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, 65_536)
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
