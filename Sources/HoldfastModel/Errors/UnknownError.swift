/// An error that is no `OperatorError`: only its own text is known.
package struct UnknownError: OperatorError, Equatable {
  package let message: String
  package var hint: String? { nil }
  package var exitStatus: ExitStatus { .failed }
  package var scope: ErrorScope { .machine }

  package init(_ error: any Error) { message = "\(error)" }
}

/// Makes any error presentable to an operator: an `OperatorError` stays as it is.
package func describe(_ error: any Error) -> any OperatorError {
  error as? any OperatorError ?? UnknownError(error)
}
