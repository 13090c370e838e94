package import HoldfastModel

/// The document that a command with `--json` writes to standard output when it fails before it has a result.
package struct ErrorJSON: Encodable {
  /// An error, wherever JSON has one.
  package struct Failure: Encodable {
    let code: String
    let exitStatus: Int32
    let scope: String
    package let message: String
    let hint: String?

    private enum CodingKeys: CodingKey { case code, exitStatus, scope, message, hint }

    /// Writes every key: what there is not is `null`.
    package func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(code, forKey: .code)
      try values.encode(exitStatus, forKey: .exitStatus)
      try values.encode(scope, forKey: .scope)
      try values.encode(message, forKey: .message)
      try values.encode(hint, forKey: .hint)
    }
  }

  package let error: Failure

  /// - Parameter status: the exit status of the process.
  package init(_ error: any OperatorError, _ status: ExitStatus) {
    self.error = Failure(
      code: status.code, exitStatus: status.rawValue, scope: error.scope.rawValue, message: error.message,
      hint: error.hint)
  }

  /// A command line that is wrong.
  /// - Parameters:
  ///   - text: the error as it is shown to people: `holdfast: …`, further lines, and perhaps `HINT: …`.
  ///   - exitStatus: that of the process, which a plugin ends with another one.
  package init(usage text: String, exitStatus: Int32 = ExitStatus.usage.rawValue) {
    let lines = text.split(separator: "\n")
    let message = lines.first.map { $0.hasPrefix("holdfast: ") ? $0.dropFirst("holdfast: ".count) : $0 }
    error = Failure(
      code: ExitStatus.usage.code, exitStatus: exitStatus, scope: ErrorScope.usage.rawValue,
      message: String(message ?? ""),
      hint: lines.first { $0.hasPrefix("HINT: ") }.map { String($0.dropFirst("HINT: ".count)) })
  }
}

extension ErrorJSON.Failure {
  init(_ error: any OperatorError) { self = ErrorJSON(error, error.exitStatus).error }
}

extension ExitStatus {
  /// The name of the status in JSON, which never changes.
  fileprivate var code: String { String(describing: self) }
}
