package import HoldfastSystem

/// Why a database cannot be captured as one committed state.
package struct SQLiteFailure: Error, Equatable {
  package enum Kind: Sendable {
    /// Somebody else has locked it; later it may do.
    case busy
    /// It is no database, or none that is sound: nobody writes to it.
    case unsound
    /// It would need what is not done to other people's files, or more than one database may take.
    case refused
    /// This process has too many files open.
    case noDescriptors
  }

  package let kind: Kind
  package let reason: String

  /// The failure to read or lock it in the middle of a capture.
  package init(_ error: SystemError) {
    self.init(kind: error.isBusy ? .busy : .refused, reason: error.isBusy ? Self.busy.reason : error.reason)
  }

  init(kind: Kind, reason: String) { (self.kind, self.reason) = (kind, reason) }

  static let busy = SQLiteFailure(kind: .busy, reason: "database is locked")
  static let replaced = refused("it was replaced while the backup ran")
  static let malformed = SQLiteFailure(kind: .unsound, reason: "database disk image is malformed")

  static func refused(_ reason: String) -> SQLiteFailure { SQLiteFailure(kind: .refused, reason: reason) }

  /// - Parameter name: of the file that the system refuses.
  static func system(_ error: SystemError, at name: String) -> SQLiteFailure {
    SQLiteFailure(
      kind: error.isOutOfDescriptors ? .noDescriptors : .refused,
      reason: "\(name) cannot be read or locked: \(error.reason)")
  }
}
