internal import HoldfastConfiguration
package import HoldfastModel

/// The environment of a process as a value: variables, user, current directory, name of the machine. Code that has one
/// does not ask the process.
package struct ProcessEnvironment: Sendable {
  /// The variable that `schedule` sets for runs that cron starts.
  package static let scheduleVariable = "HOLDFAST_SCHEDULE"

  private let variable: @Sendable (String) -> String?
  private let currentDirectory: Path?
  /// Returns the home directory of the user's account from the system's list of users; `nil` when that has none. It is
  /// called only when HOME is not set, and only for files of other programs, such as AWS credentials. holdfast keeps
  /// its own files in the directory that HOME names, or without HOME in root's directories below `/var`.
  package let accountHome: @Sendable () -> Path?
  /// The effective user.
  package let userID: UInt32
  /// The name of this machine, for people.
  package let hostName: String

  /// - Parameters:
  ///   - variable: returns the value of a variable; `nil` when it is not set.
  ///   - currentDirectory: `nil` when it was removed.
  package init(
    userID: UInt32, hostName: String, currentDirectory: Path?,
    accountHome: @escaping @Sendable () -> Path? = { nil }, variable: @escaping @Sendable (String) -> String?
  ) {
    self.accountHome = accountHome
    self.variable = variable
    self.currentDirectory = currentDirectory
    self.userID = userID
    self.hostName = hostName
  }

  package var isRoot: Bool { userID == 0 }

  /// Returns the same environment, in which a variable is not set.
  package func without(_ name: String) -> ProcessEnvironment {
    ProcessEnvironment(
      userID: userID, hostName: hostName, currentDirectory: currentDirectory, accountHome: accountHome
    ) { [variable] in $0 == name ? nil : variable($0) }
  }

  /// Returns the value of a variable, which may be empty; `nil` when it is not set.
  package func value(_ name: String) -> String? { variable(name) }

  /// Returns the value of a variable; `nil` when it is not set, or empty.
  package func text(_ name: String) -> String? { variable(name).flatMap { $0.isEmpty ? nil : $0 } }

  /// Returns the parsed value of a variable; `nil` when it is not set, or empty.
  /// - Parameter examples: possible values, for the message.
  /// - Throws: `VariableError` when its value cannot be parsed.
  package func parsed<Value>(
    _ name: String, _ examples: String, _ parse: (String) -> Value?
  ) throws -> Value? {
    guard let text = text(name) else { return nil }
    guard let parsed = parse(text) else { throw VariableError(name, is: text, examples: examples) }
    return parsed
  }

  /// Returns an absolute path. A relative one begins at the current directory.
  /// - Throws: also for an empty text, which must not mean the current directory.
  package func absolute(_ text: String) throws -> Path {
    guard !text.isEmpty else {
      throw EngineError(
        .usage, "a path is empty", hint: "Name one; if it comes from a variable, see whether that is set.",
        exitStatus: .usage)
    }
    let path = Path(text)
    guard !path.isAbsolute else { return path }
    guard let currentDirectory else {
      throw EngineError(.machine, "the current directory does not exist", hint: "Change into one that does.")
    }
    return currentDirectory.appending(path.bytes)
  }

  /// Returns the directory of cached states: `HOLDFAST_CACHE_DIR`, `XDG_CACHE_HOME/holdfast`, `~/.cache/holdfast`, for
  /// root without a home `/var/cache/holdfast`.
  package func cacheDirectory() throws -> Path? {
    try directory("HOLDFAST_CACHE_DIR", "XDG_CACHE_HOME", below: ".cache", ofRoot: "/var/cache/holdfast")
  }

  /// Returns the directory of this machine's memory of repositories: `HOLDFAST_STATE_DIR`, `XDG_STATE_HOME/holdfast`,
  /// `~/.local/state/holdfast`, for root without a home `/var/lib/holdfast`.
  package func stateDirectory() throws -> Path? {
    try directory("HOLDFAST_STATE_DIR", "XDG_STATE_HOME", below: ".local/state", ofRoot: "/var/lib/holdfast")
  }

  /// Returns the directory of the configuration and of the writer key: `HOLDFAST_CONFIG_DIR`, otherwise for root
  /// `/etc/holdfast`, for other users `XDG_CONFIG_HOME/holdfast` or `~/.config/holdfast`.
  package func configurationDirectory() throws -> Path? {
    if let named = try namedConfigurationDirectory() { return named }
    return isRoot ? Path("/etc/holdfast") : userDirectory("XDG_CONFIG_HOME", below: ".config")?.appending("holdfast")
  }

  /// Returns the directory `HOLDFAST_CONFIG_DIR`, which replaces all other directories of configuration files; `nil`
  /// when the variable is not set.
  package func namedConfigurationDirectory() throws -> Path? {
    try text("HOLDFAST_CONFIG_DIR").map { try absolute($0) }
  }

  /// The directory of this user's systemd units; `nil` without a home.
  package var userUnitDirectory: Path? { userDirectory("XDG_CONFIG_HOME", below: ".config")?.appending("systemd/user") }

  /// The directory of systemd credentials of this unit; `nil` when there is none.
  package var credentialsDirectory: Path? {
    value("CREDENTIALS_DIRECTORY").flatMap { $0.hasPrefix("/") ? Path($0) : nil }
  }

  /// An empty connection string if libpq's own variables name a server; otherwise `nil`.
  package var postgres: String? {
    let names = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGDATABASE", "PGUSER"]
    return names.contains { text($0) != nil } ? "" : nil
  }

  /// True if a terminal may show colours: `NO_COLOR` is not set or is empty, and `TERM` names a terminal that has them.
  package var allowsColors: Bool { text("NO_COLOR") == nil && text("TERM").map { $0 != "dumb" } ?? false }

  /// True if cron has started this run.
  package var isScheduled: Bool { text(Self.scheduleVariable) != nil }

  /// The home directory; `nil` without one.
  package var home: Path? { value("HOME").flatMap { $0.hasPrefix("/") ? Path($0) : nil } }

  private func directory(_ own: String, _ base: String, below home: String, ofRoot root: String) throws -> Path? {
    if let named = text(own) { return try absolute(named) }
    return userDirectory(base, below: home)?.appending("holdfast") ?? (isRoot ? Path(root) : nil)
  }

  /// Returns the directory that an XDG variable names, otherwise one below the home; `nil` without either.
  private func userDirectory(_ base: String, below home: String) -> Path? {
    if let directory = value(base), directory.hasPrefix("/") { return Path(directory) }
    return self.home?.appending(home)
  }
}
