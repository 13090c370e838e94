/// The names in the configuration, as `config check --json` shows them.
package struct ConfigurationJSON: Encodable {
  let files: [String]
  let repositories: [String]
  let sources: [String]
  let notifications: [String]

  package init(files: [String], repositories: [String], sources: [String], notifications: [String]) {
    (self.files, self.repositories) = (files, repositories)
    (self.sources, self.notifications) = (sources, notifications)
  }
}

/// All values in effect, as `config show --json` shows them.
package struct SettingsJSON: Encodable {
  package struct Value: Encodable {
    let key: [String]
    /// Absent for a secret.
    let value: String?
    let values: [String]?
    let origin: String
    let file: String?
    let line: Int?
    let column: Int?
    let secret: Bool

    package init(
      key: [String], value: String?, values: [String]?, origin: String, file: String?, line: Int?, column: Int?,
      secret: Bool
    ) {
      (self.key, self.value, self.values, self.origin) = (key, value, values, origin)
      (self.file, self.line, self.column, self.secret) = (file, line, column, secret)
    }
  }

  let files: [String]
  let values: [Value]

  package init(files: [String], values: [Value]) { (self.files, self.values) = (files, values) }
}
