package import HoldfastModel

/// The error that a failover stopped at a step, or a hand-over after it has ended the service. It says how things
/// stand.
package struct FailoverError: OperatorError {
  package let message: String
  package let hint: String?
  package let exitStatus: ExitStatus
  package let scope: ErrorScope

  /// - Parameters:
  ///   - step: the step that failed.
  ///   - cause: the reason.
  ///   - standing: the state of both hosts, in words.
  ///   - isServingUnknown: true if it is not known whether this host serves.
  init(
    _ step: FailoverCourse.Step, of source: SourceName, _ cause: any Error, standing: String,
    isServingUnknown: Bool = false
  ) {
    let known = describe(cause)
    message = "the failover of \(source) stopped at \(step.rawValue): \(known.message). \(standing)"
    hint =
      known.hint ?? "Correct that, and run the same command again: it goes on from there."
    exitStatus = isServingUnknown && !(known is Interrupted) ? .servingUnknown : known.exitStatus
    scope = known.scope
  }

  /// The error that a hand-over stopped after `demote` was begun.
  init(handingOver source: SourceName, _ cause: any Error, standing: String) {
    let known = describe(cause)
    message = "the hand-over of \(source) stopped: \(known.message). \(standing)"
    hint = known.hint ?? "Correct that, and run the same command again, or start the service here again."
    (exitStatus, scope) = (known.exitStatus, known.scope)
  }
}
