/// SIGINT or SIGTERM arrived: partial work is dropped.
package struct Interrupted: OperatorError, Equatable {
  package init() {}
  package var message: String { "interrupted" }
  package var hint: String? { nil }
  package var exitStatus: ExitStatus { .interrupted }
}
