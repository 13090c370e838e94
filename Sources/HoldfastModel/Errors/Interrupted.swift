/// SIGINT, SIGTERM or SIGHUP arrived before the command was done. A restore keeps what it has staged, and goes on from there; of anything else nothing counts that is not committed.
package struct Interrupted: OperatorError, Equatable {
  package init() {}
  package var message: String { "interrupted" }
  package var hint: String? { nil }
  package var exitStatus: ExitStatus { .interrupted }
  package var scope: ErrorScope { .machine }
}
