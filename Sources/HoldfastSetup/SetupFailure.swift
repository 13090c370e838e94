package import HoldfastModel

/// A step of a setup failed. What was done before stays, and a second setup goes on from there.
package struct SetupFailure: OperatorError {
  private let cause: any OperatorError
  /// The step in words: `the first snapshot`.
  private let step: String
  private let done: [String]

  init(_ cause: any OperatorError, at step: String, after done: [String]) {
    (self.cause, self.step, self.done) = (cause, step, done)
  }

  package var message: String { "the setup stopped at \(step): \(cause.message)" }

  package var hint: String? {
    let before = done.isEmpty ? "Nothing was made." : "Done before that: \(done.joined(separator: ", "))."
    let next = "Run the same command again: it goes on from there."
    return [cause.hint, before, next].compactMap { $0 }.joined(separator: "\n")
  }

  package var exitStatus: ExitStatus { cause.exitStatus }
  package var scope: ErrorScope { cause.scope }
}
