internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastStore
internal import HoldfastSystem

/// The command of a schedule, and the facts about it that decide how it must run.
struct ScheduledCommand {
  /// Variables that a run needs if they are set now.
  static let environment = [
    "HOLDFAST_CONFIG", "HOLDFAST_CONFIG_DIR", "HOLDFAST_REPOSITORY", "HOLDFAST_EXPECT_KEYRING",
    "HOLDFAST_NOTIFY_COMMAND", "HOLDFAST_NOTIFY_ON", "HOLDFAST_SSH_COMMAND", "HOLDFAST_CA_FILE", "HOLDFAST_LOCK",
    "HOLDFAST_SINGLE_WRITER", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
  ]
  /// Variables that name files. A relative path would be looked for in another directory.
  static let files = [
    "HOLDFAST_CONFIG", "HOLDFAST_CONFIG_DIR", "HOLDFAST_CA_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
  ]
  /// Variables that may contain a password.
  private static let proxies = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
  /// Options with commands of the site.
  private static let commands = ["--from-command", "--before", "--after", "--on-failure", "--identity-command"]

  /// The configuration; `nil` when none can be used.
  let site: Settings?
  /// True if it works on configured sources, and so needs nothing from the environment for them.
  let isConfigured: Bool
  /// True if it is `holdfast watch`, which runs all the time.
  let isWatch: Bool
  private let repository: String?
  private let isByCommandLine: Bool
  private let isRestore: Bool

  /// - Throws: when holdfast would not understand the command, or would only in this directory.
  init(_ arguments: [String], _ machine: MachineContext) throws {
    let parsed: any ParsableCommand
    do {
      parsed = try Holdfast.parseAsRoot(arguments)
    } catch {
      throw ScheduleError.noCommandLine(UsageErrorText.fact(error, arguments))
    }
    let config = Self.value(nil, "--config", arguments)
    if let config, !config.hasPrefix("/") { throw ScheduleError.relativePath(config) }
    let backup = parsed as? BackupCommand
    isWatch = parsed is WatchCommand
    isConfigured =
      parsed is RunSourcesCommand || isWatch
      || backup.map { $0.source == nil && $0.command.fromCommand == nil } ?? false
    let load = { try machine.naming(config).loader().load() }
    // If the run depends on a configuration that is wrong, the installing user is told.
    let site = isConfigured ? try load() : try? load()
    self.site = site
    repository = Self.value("-r", "--repository", arguments)
    let drills = parsed is RunSourcesCommand && site?.sources.contains { $0.drill.every != nil } == true
    isRestore = parsed is RestoreCommand || parsed is DrillCommand || parsed is StandbyCommand || drills
    isByCommandLine = arguments.contains { argument in
      Self.commands.contains { argument == $0 || argument.hasPrefix($0 + "=") }
    }
    if let repository, try StoreLocation(repository).directory?.isAbsolute == false,
      site?.repository(repository) == nil
    {
      throw ScheduleError.relativePath(repository)
    }
    if let source = backup?.source, !source.hasPrefix("/"), site?.source(source) == nil {
      throw ScheduleError.relativePath(source)
    }
  }

  /// True if it may need all rights of its user: it may run commands of the site, or restore files of any kind
  /// anywhere.
  var needsEverything: Bool {
    isByCommandLine || isRestore || site?.runsCommands == true
  }

  /// Returns the repositories that it writes to; nothing is ever written into a source. Empty when they are not known.
  /// - Parameter repository: the repository that the environment of the run names.
  func repositories(named environment: String?) throws -> [String] {
    try locations(named: environment).compactMap(\.directory).map(Self.text)
  }

  private func locations(named environment: String?) throws -> [StoreLocation] {
    guard let named = repository ?? environment else {
      return try site?.repositories.flatMap { try Self.locations(of: $0) } ?? []
    }
    return try site?.repository(named).map { try Self.locations(of: $0) } ?? [StoreLocation(named)]
  }

  /// - Throws: `ScheduleError.proxyWithLogin`: units are readable, and lines of cron are arguments of a shell.
  static func checkProxies(_ schedule: Schedule) throws {
    for name in proxies where schedule.environment[name].map({ HTTPProxy($0).hasLogin }) ?? false {
      throw ScheduleError.proxyWithLogin(variable: name, unit: SystemdUnits.service(schedule.name))
    }
  }

  /// Returns the buckets of the run for which the configuration names no credentials.
  /// - Parameter environment: the repository that the environment of the run names.
  func bucketsWithoutCredentials(named environment: String?) throws -> [StoreLocation] {
    try locations(named: environment).filter { location in
      guard location.scheme == .s3 else { return false }
      let targets = site?.repositories.flatMap(\.targets) ?? []
      let configured = targets.first { (try? StoreLocation($0.location)) == location }?.s3
      return configured?.credentialsFile == nil && configured?.profile == nil
    }
  }

  /// Returns the locations of all targets, because a run writes to each.
  private static func locations(of repository: RepositorySettings) throws -> [StoreLocation] {
    try repository.targets.map { try StoreLocation($0.location) }
  }

  private static func text(_ path: Path) -> String { String(decoding: path.bytes, as: UTF8.self) }

  private static func value(_ short: String?, _ long: String, _ arguments: [String]) -> String? {
    for (index, argument) in arguments.enumerated() {
      if argument == short || argument == long { return index + 1 < arguments.count ? arguments[index + 1] : nil }
      if argument.hasPrefix(long + "=") { return String(argument.dropFirst(long.count + 1)) }
      if let short, argument.hasPrefix(short), !argument.hasPrefix("--") {
        return String(argument.dropFirst(short.count))
      }
    }
    return nil
  }
}
