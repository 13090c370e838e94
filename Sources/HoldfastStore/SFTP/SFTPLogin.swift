internal import HoldfastModel
internal import HoldfastSystem

/// Where a server is, and as whom to log in.
package struct SFTPAddress: Sendable {
  let user: String
  /// An IPv6 address is in brackets.
  let host: String
  let port: UInt16?
  /// The address with the directory, as an operator writes it.
  let location: String

  /// - Parameters:
  ///   - host: an IPv6 address is in brackets.
  ///   - port: `nil` for that of ssh's configuration.
  ///   - location: the address with the directory, as an operator writes it.
  package init(user: String, host: String, port: UInt16?, location: String) {
    (self.user, self.host, self.port, self.location) = (user, host, port, location)
  }
}

/// How a server is reached: the command that connects, and what its messages mean.
struct SFTPLogin: Sendable {
  private let address: SFTPAddress
  /// The operator's command in place of `ssh`; run by the shell.
  private let command: String?

  /// - Parameter command: the operator's command in place of `ssh`; `nil` for that.
  init(_ address: SFTPAddress, command: String?) { (self.address, self.command) = (address, command) }

  /// What ssh is told. Of an option that is there several times ssh takes the first: those in the operator's command
  /// count. Keys, agents, known hosts and jump hosts are the operator's affair.
  private static let options = [
    // Never ask: there may be nobody to answer.
    "BatchMode=yes",
    // Servers and routers drop connections on which nothing is said.
    "ServerAliveInterval=15", "ServerAliveCountMax=4", "ConnectTimeout=30",
    // As sftp(1) does: a server gets nothing of this machine.
    "ForwardX11=no", "ForwardAgent=no", "ClearAllForwardings=yes", "PermitLocalCommand=no",
  ]

  func connect() throws(SystemError) -> TalkingProcess {
    var words = Self.options.flatMap { ["-o", $0] }
    if let port = address.port { words += ["-o", "Port=\(port)"] }
    words += ["-l", address.user, "-s", "--", host, "sftp"]
    return try TalkingProcess(command ?? "ssh", words)
  }

  /// The name for ssh, which wants an IPv6 address without brackets.
  private var host: String {
    address.host.hasPrefix("[") ? String(address.host.dropFirst().dropLast()) : address.host
  }

  /// What a person would type.
  private var typed: String {
    guard let command else {
      return "sftp " + (address.port.map { "-P \($0) " } ?? "") + "\(address.user)@\(address.host)"
    }
    return command + (address.port.map { " -p \($0)" } ?? "") + " -l \(address.user) \(host)"
  }

  // MARK: What went wrong

  /// - Parameter isFirst: whether there never was a connection in this run.
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

  /// The last line of what ssh wrote, where the reason is.
  private static func lastLine(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).last { !$0.allSatisfy(\.isWhitespace) }
    return line.map { SFTPText.printable($0.utf8) } ?? ""
  }
}
