package import HoldfastSystem

/// The reason why a database cannot be captured as one committed state.
package struct SQLiteFailure: Error, Equatable {
  package enum Kind: Sendable {
    /// Another process has locked it. A later try may succeed.
    case busy
    /// It is not a valid database, so no program writes to it.
    case unsound
    /// It would need an action that holdfast does not take on other people's files, or more memory than one database
    /// may use.
    case refused
    /// This process has too many files open.
    case noDescriptors
  }

  package let kind: Kind
  package let reason: String

  /// Makes the failure to read or lock it in the middle of a capture.
  package init(_ error: SystemError) {
    self.init(kind: error.isBusy ? .busy : .refused, reason: error.isBusy ? Self.busy.reason : error.reason)
  }

  init(kind: Kind, reason: String) { (self.kind, self.reason) = (kind, reason) }

  static let busy = SQLiteFailure(kind: .busy, reason: "database is locked")
  static let replaced = refused("it was replaced while the backup ran")
  static let malformed = SQLiteFailure(kind: .unsound, reason: "database disk image is malformed")

  static func refused(_ reason: String) -> SQLiteFailure { SQLiteFailure(kind: .refused, reason: reason) }

  /// Makes the failure for an error of the system.
  /// - Parameter name: the name of the file that the system refuses.
  static func system(_ error: SystemError, at name: String) -> SQLiteFailure {
    SQLiteFailure(
      kind: error.isOutOfDescriptors ? .noDescriptors : .refused,
      reason: "\(name) cannot be read or locked: \(error.reason)")
  }
}
