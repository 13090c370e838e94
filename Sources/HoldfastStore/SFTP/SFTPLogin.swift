internal import HoldfastModel
internal import HoldfastSystem

/// The address of a server, and the user to log in as.
package struct SFTPAddress: Sendable {
  let user: String
  /// The host. An IPv6 address is in brackets.
  let host: String
  let port: UInt16?
  /// The address with the directory, as an operator writes it.
  let location: String

  /// - Parameters:
  ///   - host: an IPv6 address is in brackets.
  ///   - port: `nil` for the port in ssh's configuration.
  ///   - location: the address with the directory, as an operator writes it.
  package init(user: String, host: String, port: UInt16?, location: String) {
    (self.user, self.host, self.port, self.location) = (user, host, port, location)
  }
}

/// The login to a server: the command that connects, and the meaning of its messages.
struct SFTPLogin: Sendable {
  private let address: SFTPAddress
  /// The operator's command in place of `ssh`, which the shell runs.
  private let command: String?

  /// - Parameter command: the operator's command in place of `ssh`; `nil` for `ssh`.
  init(_ address: SFTPAddress, command: String?) { (self.address, self.command) = (address, command) }

  /// The options for ssh. If an option is there several times, ssh takes the first, so those in the operator's command
  /// count. Keys, agents, known hosts and jump hosts are left to the operator.
  private static let options = [
    // ssh must never ask: there may be nobody to answer.
    "BatchMode=yes",
    // Servers and routers drop connections that are idle.
    "ServerAliveInterval=15", "ServerAliveCountMax=4", "ConnectTimeout=30",
    // The same as in sftp(1): a server gets no access to this machine.
    "ForwardX11=no", "ForwardAgent=no", "ClearAllForwardings=yes", "PermitLocalCommand=no",
    // The operator's configuration may set them for shells on this host. With them there is no SFTP.
    "RemoteCommand=none", "RequestTTY=no",
  ]

  func connect() throws(SystemError) -> TalkingProcess {
    var words = Self.options.flatMap { ["-o", $0] }
    if let port = address.port { words += ["-o", "Port=\(port)"] }
    words += ["-l", address.user, "-s", "--", host, "sftp"]
    return try TalkingProcess(command ?? "ssh", words)
  }

  /// The host for ssh, which wants an IPv6 address without brackets.
  private var host: String {
    address.host.hasPrefix("[") ? String(address.host.dropFirst().dropLast()) : address.host
  }

  /// The command that a person would type to log in.
  private var typed: String {
    guard let command else {
      return "sftp " + (address.port.map { "-P \($0) " } ?? "") + "\(address.user)@\(address.host)"
    }
    return command + (address.port.map { " -p \($0)" } ?? "") + " -l \(address.user) \(host)"
  }

  // MARK: Errors

  /// Returns the error for the end of a connection.
  /// - Parameter isFirst: true if there was no connection in this run before.
  func error(_ end: SFTPEnd, isFirst: Bool) -> any Error {
    let reason = Self.lastLine(end.errorText)
    switch end.cause {
    case .violation(let finding, let beginning):
      guard !end.isStarted else { return SFTPError.violation(location: address.location, finding: finding) }
      return login(.anotherLanguage, "it begins with \"\(beginning)\"")
    case .stalled(let span):
      return unavailable("no answer for \(span.wholeSeconds) s")
    case .closed:
      if !end.isStarted, let known = SFTPError.Login.of(end.errorText, isFirst: isFirst) { return login(known, reason) }
      return unavailable(reason.isEmpty ? "the connection is lost" : reason)
    }
  }

  private func login(_ login: SFTPError.Login, _ reason: String) -> SFTPError {
    .login(login, location: address.location, reason: reason, command: typed)
  }

  private func unavailable(_ reason: String) -> StoreError { .unavailable(location: address.location, reason: reason) }

  /// Returns the last line that ssh wrote, which has the reason.
  private static func lastLine(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).last { !$0.allSatisfy(\.isWhitespace) }
    return line.map { SFTPText.printable($0.utf8) } ?? ""
  }
}
