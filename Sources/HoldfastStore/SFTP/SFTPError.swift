package import HoldfastModel

/// The reason why an SFTP server cannot be used, if trying again would not help.
package enum SFTPError: OperatorError, Equatable {
  /// The reason why there is no connection.
  package enum Login: Equatable, Sendable {
    case hostKeyUnknown
    case hostKeyChanged
    case permissionDenied
    case nameUnknown
    case connectionRefused
    /// There is no route to its network, or no such machine in it.
    case unreachable
    /// The server and this ssh share no algorithm.
    case noAgreement
    /// ssh does not accept its own configuration.
    case badConfiguration
    case noSubsystem
    case commandMissing
    /// The command wrote something other than SFTP at its beginning.
    case anotherLanguage
  }

  /// There is no connection.
  /// - Parameters:
  ///   - reason: the message of ssh.
  ///   - command: a command with which a person would log in.
  case login(Login, location: String, reason: String, command: String)
  /// The server broke the protocol.
  case violation(location: String, finding: String)
  case forbidden(action: String, key: String, location: String)
  case failed(action: String, key: String, location: String, reason: String)
  case full(location: String)
  /// Bytes whose arrival the server had confirmed are missing.
  case lost(key: String, location: String)

  package var message: String {
    switch self {
    case .login(let login, let location, let reason, _):
      "\(location) cannot be reached: \(login.text)" + (reason.isEmpty ? "" : " (\(reason))")
    case .violation(let location, let finding): "\(location) does not speak SFTP as it should: \(finding)"
    case .forbidden(let action, let key, let location): "\(location) does not allow to \(action) \(Path(key))"
    case .failed(let action, let key, let location, let reason):
      "cannot \(action) \(Path(key)) in \(location): \(reason.isEmpty ? "the server reports a failure" : reason)"
    case .full(let location): "no space is left in \(location)"
    case .lost(let key, let location):
      "\(location) has lost bytes of \(key) that it had confirmed before the connection broke"
    }
  }

  package var hint: String? {
    switch self {
    case .login(let login, _, _, let command): login.hint(command)
    case .violation: "Find out what runs there: `sftp` must work with it too."
    case .forbidden: "Let the user of the location write there, or name another directory."
    case .failed: "Look at the log of the server, and whether its file system is whole and has room."
    case .full: "Free space there, then run the same command again."
    case .lost: "The server was probably restarted: run the same command again."
    }
  }

  package var exitStatus: ExitStatus { .failed }

  package var scope: ErrorScope { .machine }
}

extension SFTPError.Login {
  fileprivate var text: String {
    switch self {
    case .hostKeyUnknown: "its host key is not known"
    case .hostKeyChanged: "its host key is another one than before"
    case .permissionDenied: "it does not let this user in"
    case .nameUnknown: "there is no host of this name"
    case .connectionRefused: "it refuses the connection"
    case .unreachable: "there is no way to it"
    case .noAgreement: "it and the ssh of this machine have no algorithm in common"
    case .badConfiguration: "ssh does not accept its configuration"
    case .noSubsystem: "it does not offer sftp"
    case .commandMissing: "the command that connects cannot be run"
    case .anotherLanguage: "it answers with something else than SFTP"
    }
  }

  /// Returns the hint for the operator.
  /// - Parameter command: a command with which a person would log in.
  fileprivate func hint(_ command: String) -> String {
    switch self {
    case .hostKeyUnknown:
      "Run `\(command)` once as the user who runs holdfast, and compare the fingerprint with the server's before you accept it."
    case .hostKeyChanged:
      "Ask who runs the server whether its key was changed. If it was, remove the old one with `ssh-keygen -R`, then run `\(command)` and compare the fingerprint."
    case .permissionDenied:
      "Run `\(command)` as the user who runs holdfast: it must log in without a question. `ssh-copy-id` installs a key; for an account that can only add, whoever runs the server puts it into the file that its sshd reads."
    case .nameUnknown: "Correct the name, or see whether this machine resolves names."
    case .connectionRefused: "See whether sshd runs there, and on which port: `\(command)` must work."
    case .unreachable: "See whether the address is right, and this machine's network and routes."
    case .noAgreement:
      "Let whoever runs the server update it; or allow what it offers, for this host alone, in ~/.ssh/config, until `\(command)` works."
    case .badConfiguration: "Mend the file that ssh names, until `\(command)` works as the user who runs holdfast."
    case .noSubsystem:
      "Let its sshd have a line such as `Subsystem sftp internal-sftp`, and see that `\(command)` works."
    case .commandMissing: "Install ssh (Debian: openssh-client), or correct HOLDFAST_SSH_COMMAND or `ssh-command`."
    case .anotherLanguage:
      "A file such as .bashrc prints something there, or the command is not ssh: `\(command)` must begin with its prompt."
    }
  }

  /// Returns the meaning of ssh's messages; `nil` if trying again may help.
  /// - Parameters:
  ///   - text: everything that it wrote.
  ///   - isFirst: true if there was no connection in this run before.
  package static func of(_ text: String, isFirst: Bool) -> Self? {
    if text.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") { return .hostKeyChanged }
    if text.contains("Host key verification failed") { return .hostKeyUnknown }
    if text.contains("Permission denied (") || text.contains("Too many authentication failures") {
      return .permissionDenied
    }
    // About key types, key exchanges, ciphers and MACs.
    if text.contains("no matching "), text.contains("Unable to negotiate") { return .noAgreement }
    if text.contains("Bad owner or permissions") || text.contains("bad configuration option") {
      return .badConfiguration
    }
    if text.contains("Could not resolve hostname"), !text.contains("Temporary failure") { return .nameUnknown }
    if text.contains("subsystem request failed") { return .noSubsystem }
    // A message of the shell that starts the command. Messages of ssh itself begin with "ssh: connect to host".
    if text.contains("sh: "), !text.contains("ssh: connect to host"),
      text.contains("not found") || text.contains("Permission denied")
    {
      return .commandMissing
    }
    if text.contains("Permission denied") { return .permissionDenied }
    // If the server answered earlier in this run, it or its network is probably being restarted.
    guard isFirst else { return nil }
    if text.contains("Connection refused") { return .connectionRefused }
    return text.contains("No route to host") || text.contains("Network is unreachable") ? .unreachable : nil
  }
}
