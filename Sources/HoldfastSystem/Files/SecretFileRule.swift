package import HoldfastModel

/// Who may use a file with a secret, so that it is taken.
package struct SecretFileRule: Sendable {
  /// What others must not be able to do with the file.
  package enum Others: UInt32, Sendable {
    /// Nothing at all: the file holds nothing but the secret.
    case useIt = 0o077
    /// Write it: then others determine which secret is used, or which command is run for it.
    case writeIt = 0o022
  }

  /// What is wrong with a file, and what to do.
  package struct Objection: Equatable, Sendable {
    package let message: String
    package let hint: String
  }

  private let others: Others
  private let othersMask: UInt32
  private let userID: UInt32

  /// - Parameters:
  ///   - allowed: permission bits that others may have all the same.
  ///   - userID: the user of this process.
  package init(othersMayNot others: Others, except allowed: UInt32 = 0, userID: UInt32) {
    self.others = others
    othersMask = others.rawValue & ~allowed
    self.userID = userID
  }

  /// - Parameters:
  ///   - status: that of the opened file.
  ///   - noun: what the file is called: `file`, `identity file`.
  /// - Returns: `nil` for a file that may be used.
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
