internal import HoldfastEngine
package import HoldfastModel

/// What a process finds around it when it begins, as a value: variables, user, current directory, name of the machine.
/// Whoever has one asks the process for nothing.
package struct ProcessEnvironment: Sendable {
  /// By which a run knows that cron has started it, as `schedule` has written.
  package static let scheduleVariable = "HOLDFAST_SCHEDULE"

  private let variable: @Sendable (String) -> String?
  private let currentDirectory: Path?
  /// The user whose rights count.
  package let userID: UInt32
  /// What this machine is called, for people.
  package let hostName: String

  /// - Parameters:
  ///   - variable: what a variable is set to; `nil` where it is not set.
  ///   - currentDirectory: `nil` where it was removed.
  package init(
    userID: UInt32, hostName: String, currentDirectory: Path?, variable: @escaping @Sendable (String) -> String?
  ) {
    self.variable = variable
    self.currentDirectory = currentDirectory
    self.userID = userID
    self.hostName = hostName
  }

  package var isRoot: Bool { userID == 0 }

  /// What a variable is set to, also to nothing; `nil` where it is not set.
  package func value(_ name: String) -> String? { variable(name) }

  /// What a variable is set to; `nil` where it is not set, or set to nothing.
  package func text(_ name: String) -> String? { variable(name).flatMap { $0.isEmpty ? nil : $0 } }

  /// What the text of a variable stands for; `nil` where it is not set, or set to nothing.
  /// - Parameter allowed: examples, for whoever set it to something else.
  package func parsed<Value>(
    _ name: String, _ allowed: String, _ parse: (String) -> Value?
  ) throws -> Value? {
    guard let text = text(name) else { return nil }
    guard let parsed = parse(text) else {
      throw EngineError(
        "\(name) is \"\(Path(text))\"", hint: "Set it to something like \(allowed), or unset it.", exitStatus: .usage)
    }
    return parsed
  }

  /// A path from the root on; a relative one begins at the current directory.
  /// - Throws: also where the text is empty: what stands for nothing must not become the current directory.
  package func absolute(_ text: String) throws -> Path {
    guard !text.isEmpty else {
      throw EngineError(
        "a path is empty", hint: "Name one; if it comes from a variable, see whether that is set.", exitStatus: .usage)
    }
    let path = Path(text)
    guard !path.isAbsolute else { return path }
    guard let currentDirectory else {
      throw EngineError("the current directory does not exist", hint: "Change into one that does.")
    }
    return currentDirectory.appending(path.bytes)
  }

  /// Where the local state cache lies: `HOLDFAST_CACHE_DIR`, `XDG_CACHE_HOME/holdfast`, `~/.cache/holdfast`, for root
  /// without a home `/var/cache/holdfast`.
  package func cacheDirectory() throws -> Path? {
    try directory("HOLDFAST_CACHE_DIR", "XDG_CACHE_HOME", below: ".cache", ofRoot: "/var/cache/holdfast")
  }

  /// Where this machine remembers the repositories that it has used: `HOLDFAST_STATE_DIR`, `XDG_STATE_HOME/holdfast`,
  /// `~/.local/state/holdfast`, for root without a home `/var/lib/holdfast`.
  package func stateDirectory() throws -> Path? {
    try directory("HOLDFAST_STATE_DIR", "XDG_STATE_HOME", below: ".local/state", ofRoot: "/var/lib/holdfast")
  }

  /// Where the writer key lies: for root `/etc/holdfast`, else `XDG_CONFIG_HOME/holdfast` or `~/.config/holdfast`.
  package var configurationDirectory: Path? {
    isRoot ? Path("/etc/holdfast") : userDirectory("XDG_CONFIG_HOME", below: ".config")?.appending("holdfast")
  }

  /// Where the units of this user's systemd lie; `nil` without a home.
  package var userUnitDirectory: Path? { userDirectory("XDG_CONFIG_HOME", below: ".config")?.appending("systemd/user") }

  /// Where systemd puts the credentials of this unit; `nil` where there are none.
  package var credentialsDirectory: Path? {
    value("CREDENTIALS_DIRECTORY").flatMap { $0.hasPrefix("/") ? Path($0) : nil }
  }

  /// An empty connection string where libpq's own variables say how to reach a server; `nil` where none does.
  package var postgres: String? {
    let names = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGDATABASE", "PGUSER"]
    return names.contains { text($0) != nil } ? "" : nil
  }

  /// Whether cron has started this run.
  package var isScheduled: Bool { text(Self.scheduleVariable) != nil }

  private func directory(_ own: String, _ base: String, below home: String, ofRoot root: String) throws -> Path? {
    if let named = text(own) { return try absolute(named) }
    return userDirectory(base, below: home)?.appending("holdfast") ?? (isRoot ? Path(root) : nil)
  }

  /// What a variable of the XDG base directories names, or a directory below the home; `nil` without either.
  private func userDirectory(_ base: String, below home: String) -> Path? {
    if let directory = value(base), directory.hasPrefix("/") { return Path(directory) }
    return value("HOME").flatMap { $0.hasPrefix("/") ? Path($0).appending(home) : nil }
  }
}
