internal import HoldfastModel

extension SettingsBuilder {
  /// Returns the values below `failover`.
  mutating func failover(_ way: [String]) -> FailoverSettings {
    func key(_ names: String...) -> [String] { way + ["failover"] + names }
    var made = FailoverSettings()
    made.host = text(schema.source, key("host")).flatMap { HostName($0) }
    made.directory = text(schema.source, key("in")).map { Path($0) }
    for task in FailoverSettings.Task.allCases {
      let timeout = span(key("timeouts", task.rawValue)) ?? task.usualTimeout
      guard let command = text(schema.source, key(task.rawValue)) else { continue }
      if timeout <= .zero {
        note(key(), "the time limit of \(task.rawValue) is 0", hint: "Say how long the command may take: 30s.")
      }
      made.commands[task] = FailoverSettings.Command(command, timeout: timeout)
    }
    return made
  }
}
