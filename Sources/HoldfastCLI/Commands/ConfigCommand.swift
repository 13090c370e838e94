internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastSystem

struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Check and show the configuration of this machine.",
    discussion: """
      The configuration is /etc/holdfast/holdfast.yaml and /etc/holdfast/conf.d/*.yaml. A user other than root has \
      ~/.config/holdfast/holdfast.yaml instead, if it exists. The directory HOLDFAST_CONFIG_DIR takes the place of both. \
      With --config, only that file is read.

      \(HelpEnd.text("holdfast config check", "holdfast config show"))
      """,
    subcommands: [ConfigCheckCommand.self, ConfigShowCommand.self, ConfigExampleCommand.self])
}

/// Chooses the configuration.
struct ConfigurationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Read only this configuration file. (environment: HOLDFAST_CONFIG)", valueName: "file"),
    completion: .file(extensions: ["yaml"]))
  var config: String?
}

struct ConfigCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Find all mistakes in the configuration.",
    discussion: HelpEnd.text("holdfast config check", "holdfast config check --config new.yaml"))

  @OptionGroup var files: ConfigurationOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let loader = try MachineContext.ofThisProcess(config: files.config).loader()
    guard let settings = try loader.load(checksSecrets: true) else {
      throw MissingConfiguration(for: "sources", in: loader.location.usual)
    }
    if output.json {
      try Console.json(
        ConfigurationJSON(
          files: settings.files.map(\.description), repositories: settings.repositories.map(\.name),
          sources: settings.sources.map(\.name.text), notifications: settings.notifications.map(\.name)))
    } else if !output.quiet {
      let counts = [
        Amount.count(UInt64(settings.repositories.count), "repository", "repositories"),
        Amount.count(UInt64(settings.sources.count), "source"),
        Amount.count(UInt64(settings.notifications.count), "notification"),
      ]
      Console.output(
        "sound: \(counts.joined(separator: ", ")), in \(settings.files.map(\.description).joined(separator: ", "))")
    }
  }
}

struct ConfigShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show all values in effect and where they come from; secrets are hidden.",
    discussion: HelpEnd.text("holdfast config show", "holdfast config show --json"))

  @OptionGroup var files: ConfigurationOptions
  @OptionGroup var output: OutputOptions

  private static let hidden = "(hidden)"

  func run() throws {
    let settings = try MachineContext.ofThisProcess(config: files.config).neededSettings()
    if output.json {
      try Console.json(SettingsJSON(files: settings.files.map(\.description), values: settings.shown.map(Self.json)))
      return
    }
    var table = Table()
    for setting in settings.shown {
      let shown = setting.shownTexts.map { Path($0).description }.joined(separator: ", ")
      let value = setting.isSecret ? Self.hidden : shown
      table.add([setting.key.joined(separator: "."), value, setting.origin.description])
    }
    table.lines.forEach(Console.output)
  }

  private static func json(_ setting: Setting) -> SettingsJSON.Value {
    let texts = setting.isSecret ? nil : setting.shownTexts
    var position: FilePosition?
    if case .file(let found) = setting.origin { position = found }
    return SettingsJSON.Value(
      key: setting.key, value: setting.isList ? nil : texts?.last, values: setting.isList ? texts : nil,
      origin: position == nil ? setting.origin.description : "file", file: position?.file.description,
      line: position?.line,
      column: position?.column, secret: setting.isSecret)
  }
}

struct ConfigExampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "example", abstract: "Print an example configuration that explains every key.",
    discussion: HelpEnd.text("holdfast config example > /etc/holdfast/holdfast.yaml", "holdfast config example | less"))

  func run() throws {
    // The text ends with a newline, and `output` adds one.
    Console.output(String(ExampleConfiguration.text.dropLast()))
  }
}
