package import HoldfastModel

/// The end of a command that has reported everything itself.
package struct Outcome: Error {
  package let status: ExitStatus

  package init(status: ExitStatus) { self.status = status }

  /// Returns normally for `done`.
  package static func end(_ status: ExitStatus) throws {
    if status != .done { throw Outcome(status: status) }
  }
}
