package import HoldfastModel

/// The error that a restored database is not what it should be. It is a result of the drill: a drill that could not be
/// made ends with another error.
package struct DrillFailure: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package var exitStatus: ExitStatus { .drillFailed }
  package var scope: ErrorScope { .machine }

  init(_ message: String, hint: String? = nil) { (self.message, self.hint) = (message, hint) }
}
