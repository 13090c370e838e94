package import HoldfastModel

/// The error for stored bytes that are wrong. It names the object and its fault.
package struct DamageError: OperatorError, Equatable {
  /// The key of the object, or the name of a part of it.
  package let object: String
  package let finding: String

  package init(_ object: String, _ finding: String) {
    self.object = object
    self.finding = finding
  }

  package var message: String { "\(object) is damaged: \(finding)" }
  package var hint: String? {
    "Run `holdfast verify --data` to see everything that is damaged and what can still be restored."
  }
  package var exitStatus: ExitStatus { .dataLoss }
  package var scope: ErrorScope { .repository }
}

/// A repository or snapshot that this version does not understand.
package struct FormatError: OperatorError, Equatable {
  package let object: String
  package let finding: String

  package init(_ object: String, _ finding: String) {
    self.object = object
    self.finding = finding
  }

  package var message: String { "\(object) cannot be read by this version of holdfast: \(finding)" }
  package var hint: String? { "Install a newer holdfast." }
  package var exitStatus: ExitStatus { .failed }
  /// `usage`, not damage: a newer version may have written the bytes.
  package var scope: ErrorScope { .usage }
}
