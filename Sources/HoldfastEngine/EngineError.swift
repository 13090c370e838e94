package import HoldfastModel

/// What an operator asked for and cannot have, with what to do instead.
package struct EngineError: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package let exitStatus: ExitStatus

  package init(_ message: String, hint: String?, exitStatus: ExitStatus = .failed) {
    self.message = message
    self.hint = hint
    self.exitStatus = exitStatus
  }
}
