package import HoldfastModel

/// The rule for files with a secret: the permissions and owners with which they are used.
package struct SecretFileRule: Sendable {
  /// The access that others must not have to the file.
  package enum Others: UInt32, Sendable {
    /// Any access, because the file has nothing but the secret.
    case useIt = 0o077
    /// Writing. Otherwise they could determine which secret is used, or which command is run for it.
    case writeIt = 0o022
  }

  /// The fault of a file, with advice.
  package struct Objection: Equatable, Sendable {
    package let message: String
    package let hint: String
  }

  private let others: Others
  private let othersMask: UInt32
  private let userID: UInt32

  /// - Parameters:
  ///   - allowed: permission bits that others may have nevertheless.
  ///   - userID: the user of this process.
  package init(othersMayNot others: Others, except allowed: UInt32 = 0, userID: UInt32) {
    self.others = others
    othersMask = others.rawValue & ~allowed
    self.userID = userID
  }

  /// Checks a file.
  /// - Parameters:
  ///   - status: the status of the opened file.
  ///   - noun: the word for the file in messages, such as `identity file`.
  /// - Returns: `nil` if the file may be used.
  package func objection(to path: Path, _ status: FileStatus, noun: String = "file") -> Objection? {
    let mode = "mode 0\(String(status.mode, radix: 8))"
    if status.mode & othersMask != 0 {
      return Objection(
        message: "the \(noun) \(path) can be \(others == .useIt ? "used" : "written") by others (\(mode))",
        hint: others == .useIt
          ? "Run `chmod 600 \(path)`, and think about who may have read it."
          : "Look at what stands in it, and run `chmod go-w \(path)`.")
    }
    guard status.userID == 0 || status.userID == userID else {
      return Objection(
        message: "the \(noun) \(path) belongs to another user (\(status.userID))",
        hint: "Run as that user, or use a copy that belongs to the one you are (\(userID)).")
    }
    return nil
  }
}
