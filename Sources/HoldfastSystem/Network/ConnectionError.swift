package import HoldfastModel

/// Why an exchange with a server failed.
package enum ConnectionError: OperatorError, Equatable {
  /// libcurl is missing.
  case notInstalled
  /// - Parameters:
  ///   - reason: a text without secrets.
  ///   - isPassing: whether another try may succeed.
  case noConnection(HTTPServer, reason: String, isPassing: Bool)
  /// The server sent what is no answer, or the connection ended in the middle.
  /// - Parameter finding: what happened, as a sentence.
  case broken(_ finding: String)
  /// The server has said nothing for too long.
  case silent(HTTPServer)

  package var message: String {
    switch self {
    case .notInstalled: "there is no libcurl to reach servers with"
    case .noConnection(let server, let reason, _): "\(server) cannot be reached: \(reason)"
    case .broken(let finding): finding
    case .silent(let server): "\(server) did not answer in time"
    }
  }

  package var hint: String? {
    switch self {
    case .notInstalled: "Install Debian's libcurl4."
    case .noConnection(_, _, isPassing: false): "See whether the address is right, and who signed its certificate."
    case .noConnection, .broken, .silent: "Run the same command again when the server can be reached."
    }
  }

  package var exitStatus: ExitStatus { .failed }

  package var scope: ErrorScope {
    switch self {
    case .notInstalled, .noConnection(_, _, isPassing: false): .machine
    case .noConnection, .broken, .silent: .transient
    }
  }
}
