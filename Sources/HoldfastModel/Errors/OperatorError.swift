/// An error that an operator may meet: what happened, to what, and the next command to type.
///
/// Every module has its own error type that conforms. `description` is shown unchanged, and `exitStatus` alone decides
/// how the process ends.
package protocol OperatorError: Error, CustomStringConvertible, Sendable {
  /// A fact in lower case that names the object concerned, without a full stop.
  var message: String { get }
  /// The next thing to do, as a sentence; `nil` when there is nothing useful to say.
  var hint: String? { get }
  var exitStatus: ExitStatus { get }
  /// Says whose fault it is. There is no default: every error states it.
  var scope: ErrorScope { get }
}

extension OperatorError {
  package var description: String {
    guard let hint else { return message }
    return message + "\nHINT: " + hint
  }
}
