package import HoldfastConfiguration
package import HoldfastModel
package import HoldfastSystem

/// The commands of the site for a failover, each with a time limit: a probe that hangs has failed, a fence that hangs
/// has not succeeded, a promote that hangs may have.
package struct SiteCommands {
  private let source: SourceName
  package let settings: FailoverSettings
  private let host: Host

  package init(source: SourceName, settings: FailoverSettings, host: Host) {
    (self.source, self.settings, self.host) = (source, settings, host)
  }

  /// Returns the command of a task.
  /// - Throws: when none is configured.
  package func command(_ task: FailoverSettings.Task, hint: String? = nil) throws -> FailoverSettings.Command {
    if let command = settings.commands[task] { return command }
    throw EngineError(
      .usage, "no command is configured for \(task.rawValue) of \(source)",
      hint: hint ?? "Name it in the configuration: \(source): {failover: {\(task.rawValue): COMMAND}}.",
      exitStatus: .usage)
  }

  /// Runs the command of a task.
  /// - Parameter variables: those that it gets in its environment beside `HOLDFAST_SOURCE`, `HOLDFAST_TASK` and
  ///   `HOLDFAST_HOST`.
  package func run(_ task: FailoverSettings.Task, _ variables: [String: String]) throws -> CommandEnd {
    let command = try command(task)
    var environment = variables
    environment["HOLDFAST_SOURCE"] = source.text
    environment["HOLDFAST_TASK"] = task.rawValue
    environment["HOLDFAST_HOST"] = settings.host?.text ?? ""
    let named = ShellCommand(
      command.text, environment: environment, name: "the command for \(task.rawValue) of \(source)")
    return try named.end(within: command.timeout, host)
  }
}
