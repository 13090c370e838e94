/// An error that is no `OperatorError`: nothing is known of it but its own words.
package struct UnknownError: OperatorError, Equatable {
  package let message: String
  package var hint: String? { nil }
  package var exitStatus: ExitStatus { .failed }
  package var scope: ErrorScope { .machine }

  package init(_ error: any Error) { message = "\(error)" }
}

/// What an operator is told of any error, and how a run ends by it: the error itself where it is an `OperatorError`.
package func describe(_ error: any Error) -> any OperatorError {
  error as? any OperatorError ?? UnknownError(error)
}
