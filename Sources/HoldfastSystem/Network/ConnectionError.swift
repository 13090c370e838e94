package import HoldfastModel

/// The reason why an exchange with a server failed.
package enum ConnectionError: OperatorError, Equatable {
  /// libcurl is missing.
  case notInstalled
  /// - Parameters:
  ///   - reason: a text without secrets.
  ///   - isPassing: true if another try may succeed.
  case noConnection(HTTPServer, reason: String, isPassing: Bool)
  /// A proxy does not connect to the server.
  /// - Parameter proxy: its address, without a password.
  case refusedByProxy(_ proxy: String, HTTPServer, status: Int)
  /// The server sent something that is no answer, or the connection ended in the middle of one.
  /// - Parameter finding: the event, as a sentence.
  case broken(_ finding: String)
  /// The server has sent nothing for too long.
  case silent(HTTPServer)

  package var message: String {
    switch self {
    case .notInstalled: "there is no libcurl to reach servers with"
    case .noConnection(let server, let reason, _): "\(server) cannot be reached: \(reason)"
    case .refusedByProxy(let proxy, let server, let status):
      "\(server) cannot be reached: the proxy \(proxy) refuses to connect to it (status \(status))"
    case .broken(let finding): finding
    case .silent(let server): "\(server) did not answer in time"
    }
  }

  package var hint: String? {
    switch self {
    case .notInstalled: "Install Debian's libcurl4."
    case .noConnection(_, _, isPassing: false): "See whether the address is right, and who signed its certificate."
    case .refusedByProxy(_, _, 500...):
      "Run the same command again when the proxy lets it through; servers that no_proxy names are reached without it."
    case .refusedByProxy:
      "Let the proxy permit it, or name the server in no_proxy; https_proxy has the name and password of a proxy that asks for them."
    case .noConnection, .broken, .silent: "Run the same command again when the server can be reached."
    }
  }

  package var exitStatus: ExitStatus { .failed }

  package var scope: ErrorScope {
    switch self {
    case .notInstalled, .noConnection(_, _, isPassing: false): .machine
    case .refusedByProxy(_, _, let status): status >= 500 ? .transient : .machine
    case .noConnection, .broken, .silent: .transient
    }
  }
}
