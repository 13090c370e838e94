package import HoldfastModel
internal import HoldfastSystem

/// The reason why a store refuses a call.
package enum StoreError: OperatorError, Equatable {
  case notFound(key: String, location: String)
  case alreadyExists(key: String, location: String)
  case invalidKey(String)
  /// A symbolic link, a fifo or a device has the name of an object, or of a directory on the way to it.
  case foreign(key: String, location: String)
  /// This user may not remove the object, or nobody may.
  /// - Parameter lockedUntil: the time until which nobody may remove it; `nil` if it is not locked.
  case removalRefused(key: String, location: String, StoreScheme = .directory, lockedUntil: Timestamp? = nil)
  /// The store did not answer, timed out, or refused for now. Its content is not known, so this is not damage.
  /// - Parameters:
  ///   - reason: a text without secrets.
  ///   - retryAfter: the time to wait before the next try; `nil` if the store does not say.
  case unavailable(location: String, reason: String, retryAfter: TimeSpan? = nil)
  /// An object has another length than expected.
  /// - Parameter found: its length in bytes.
  case otherLength(key: String, location: String, found: UInt64, expected: UInt64)
  /// The bytes of an object cannot be read, and trying again does not help: its device fails, or it ends too early.
  /// - Parameter isOfDevice: true if the kernel has reported the failure.
  case unreadable(key: String, reason: String, isOfDevice: Bool = false)

  /// Returns the error for bytes beyond the end of an object.
  static func endOfObject(_ key: String) -> StoreError { .unreadable(key: key, reason: "it ends before that") }

  /// Removes objects, some of which may be locked.
  /// - Returns: the end of the lock that stopped the removal: the locked object and those after it were not removed.
  ///   `nil` if all were removed.
  package static func lockEnd(_ removal: () throws -> Void) throws -> Timestamp? {
    do {
      try removal()
      return nil
    } catch StoreError.removalRefused(_, _, _, let end?) {
      return end
    }
  }

  package var message: String {
    switch self {
    case .notFound(let key, let location): "\(key) is missing in \(location)"
    case .alreadyExists(let key, let location): "\(key) exists already in \(location)"
    case .invalidKey(let key): "\"\(Path(key))\" is not a possible key of an object"
    case .foreign(let key, let location): "\(Path(key)) in \(location) is nothing that a repository has"
    case .removalRefused(let key, let location, _, let end?):
      "\(Path(key)) may not be removed from \(location) before \(TimeText.utc(end)): it is locked"
    case .removalRefused(let key, let location, _, nil): "\(Path(key)) may not be removed from \(location)"
    case .unavailable(let location, let reason, _): "\(location) does not answer: \(reason)"
    case .otherLength(let key, let location, let found, let expected):
      "\(key) in \(location) has \(found) bytes instead of \(expected)"
    case .unreadable(let key, let reason, _): "\(key) cannot be read: \(reason)"
    }
  }

  package var hint: String? {
    switch self {
    case .notFound, .otherLength, .unreadable(_, _, false): "Run `holdfast verify` to see what is missing."
    case .unreadable(_, _, true):
      "The device reports errors: look at the kernel's log (dmesg) before you trust it again."
    case .alreadyExists: "Another run wrote it at the same time: run the same command again."
    case .invalidKey: nil
    case .foreign:
      "Symbolic links in a repository are not followed, and fifos and devices not read: find out who put it there, and remove it."
    case .removalRefused(_, _, _, .some): "Run the same command again after that."
    case .removalRefused(_, _, let scheme, nil): scheme.removalHint
    case .unavailable:
      "Nothing was found to be damaged. Run the same command again when the store can be reached."
    }
  }

  package var exitStatus: ExitStatus {
    switch self {
    case .notFound, .foreign, .otherLength, .unreadable: .dataLoss
    case .alreadyExists, .invalidKey, .removalRefused, .unavailable: .failed
    }
  }

  package var scope: ErrorScope {
    switch self {
    case .notFound, .foreign, .otherLength, .unreadable: .repository
    case .alreadyExists, .unavailable: .transient
    case .removalRefused: .machine
    case .invalidKey: .usage
    }
  }
}
