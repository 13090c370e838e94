/// What an operator asked for and cannot have, with what to do instead.
package struct EngineError: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package let exitStatus: ExitStatus
  package let scope: ErrorScope

  /// - Parameter scope: `nil`: what the exit status says, and `usage` where it says nothing.
  package init(_ message: String, hint: String?, exitStatus: ExitStatus = .failed, scope: ErrorScope? = nil) {
    self.message = message
    self.hint = hint
    self.exitStatus = exitStatus
    self.scope = scope ?? Self.scope(of: exitStatus)
  }

  private static func scope(of status: ExitStatus) -> ErrorScope {
    switch status {
    case .repairableDamage, .dataLoss: .repository
    case .locked: .transient
    case .incomplete, .interrupted: .machine
    case .done, .failed, .usage, .noRepository, .wrongKey, .objectiveMissed, .fetchFailed: .usage
    }
  }
}
