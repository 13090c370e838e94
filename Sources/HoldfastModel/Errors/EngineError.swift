/// Why a procedure stops, with what to do instead.
package struct EngineError: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package let exitStatus: ExitStatus
  package let scope: ErrorScope

  /// - Parameter scope: whose fault it is; an exit status alone does not tell.
  package init(_ scope: ErrorScope, _ message: String, hint: String?, exitStatus: ExitStatus = .failed) {
    self.scope = scope
    self.message = message
    self.hint = hint
    self.exitStatus = exitStatus
  }
}
