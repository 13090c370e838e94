internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

/// What shall run by itself, as far as it matters for how.
struct ScheduledCommand {
  /// What of the environment a run needs, where it is set now.
  static let environment = [
    "HOLDFAST_CONFIG", "HOLDFAST_REPOSITORY", "HOLDFAST_EXPECT_KEYRING", "HOLDFAST_NOTIFY_COMMAND",
    "HOLDFAST_NOTIFY_ON",
  ]
  /// What lets the site's own commands run.
  private static let commands = ["--from-command", "--before", "--after", "--on-failure", "--identity-command"]

  /// What is configured; `nil` where nothing is, or nothing that can be used.
  let site: Settings?
  /// Whether it works on what is configured, and needs nothing of the environment for it.
  let isConfigured: Bool
  private let repository: String?
  private let isByCommandLine: Bool
  private let isRestore: Bool

  /// - Throws: where holdfast would not understand it, or not in another directory.
  init(_ arguments: [String], _ machine: MachineContext) throws {
    let parsed: any ParsableCommand
    do {
      parsed = try Holdfast.parseAsRoot(arguments)
    } catch {
      throw ScheduleError.noCommandLine(Holdfast.message(for: error))
    }
    let config = Self.value(nil, "--config", arguments)
    if let config, !config.hasPrefix("/") { throw ScheduleError.relativePath(config) }
    let backup = parsed as? BackupCommand
    isConfigured =
      parsed is RunSourcesCommand || backup.map { $0.source == nil && $0.command.fromCommand == nil } ?? false
    let load = { try machine.naming(config).loader().load() }
    // Where the run rests on a configuration that is wrong, the one who installs is told.
    let site = isConfigured ? try load() : try? load()
    self.site = site
    repository = Self.value("-r", "--repository", arguments)
    isRestore = parsed is RestoreCommand
    isByCommandLine = arguments.contains { argument in
      Self.commands.contains { argument == $0 || argument.hasPrefix($0 + "=") }
    }
    if let repository, !repository.hasPrefix("/"), site?.repository(repository) == nil {
      throw ScheduleError.relativePath(repository)
    }
    if let source = backup?.source, !source.hasPrefix("/"), site?.source(source) == nil {
      throw ScheduleError.relativePath(source)
    }
  }

  /// Whether it may need whatever its user can: a command of the site's may be a part of it, or it makes files of all kinds wherever it is told.
  var needsEverything: Bool {
    isByCommandLine || isRestore || site?.runsCommands == true
  }

  /// Where it writes: the repositories. Nothing is ever written into a source. Empty where that is not known.
  /// - Parameter repository: the one that the environment of the run names.
  func places(repository environment: String?) -> [String] {
    guard let named = repository ?? environment else {
      return site?.repositories.map { Self.text($0.path) } ?? []
    }
    return [site?.repository(named).map { Self.text($0.path) } ?? named]
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
