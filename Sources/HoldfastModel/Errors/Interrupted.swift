/// SIGINT, SIGTERM or SIGHUP arrived before the command was done. An interrupted restore keeps its staged files and
/// continues from there; every other command loses what it had not committed.
package struct Interrupted: OperatorError, Equatable {
  package init() {}
  package var message: String { "interrupted" }
  package var hint: String? { nil }
  package var exitStatus: ExitStatus { .interrupted }
  package var scope: ErrorScope { .transient }
}
