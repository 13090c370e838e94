/// Says whose fault an error is. Only `repository` is damage: only it gives exit status 20 or 21, is noted, blocks a
/// prune, or makes a backup take a full.
package enum ErrorScope: String, CaseIterable, Sendable {
  /// The request cannot be fulfilled: an option, a name, a key, a format that this version does not read.
  case usage
  /// This host: permissions, a full disk, too few descriptors, a source that cannot be read.
  case machine
  /// A store or a server did not answer, timed out, or refused for now; another run was faster; or a signal ended the
  /// run. The same command may succeed later.
  case transient
  /// Stored bytes that are wrong, or objects that are proved to be missing.
  case repository
}

extension Error {
  /// True if the error shows that something in the repository is damaged or missing.
  package var isDamage: Bool { (self as? any OperatorError)?.scope == .repository }

  /// True if the error says nothing about the stored data, and a retry may succeed.
  package var isTransient: Bool { (self as? any OperatorError)?.scope == .transient }
}
