/// A request of an operator that cannot be fulfilled, with what to do instead.
package struct EngineError: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package let exitStatus: ExitStatus
  package let scope: ErrorScope

  /// - Parameter scope: `nil` for the scope that belongs to the exit status; `usage` if none does.
  package init(_ message: String, hint: String?, exitStatus: ExitStatus = .failed, scope: ErrorScope? = nil) {
    self.message = message
    self.hint = hint
    self.exitStatus = exitStatus
    self.scope = scope ?? Self.scope(of: exitStatus)
  }

  private static func scope(of status: ExitStatus) -> ErrorScope {
    switch status {
    case .repairableDamage, .dataLoss: .repository
    case .locked, .interrupted: .transient
    case .incomplete: .machine
    case .done, .failed, .usage, .noRepository, .wrongKey, .objectiveMissed, .fetchFailed: .usage
    }
  }
}
