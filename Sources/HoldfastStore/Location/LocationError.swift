package import HoldfastModel

/// The reason why a location cannot be opened. Messages mask what may be a secret.
package enum LocationError: OperatorError, Equatable {
  case malformed(_ text: String, StoreScheme, _ finding: String)
  /// The location contains a secret, which belongs into a file of its own.
  /// - Parameter scheme: the scheme that is probably meant.
  case holdsSecret(_ text: String, StoreScheme)
  /// The text names a server, but is not a location.
  /// - Parameter scheme: the scheme that is probably meant.
  case otherForm(_ text: String, StoreScheme)
  /// The options ask to lock objects, or to read earlier versions of them, and the store can do neither.
  case notABucket(_ location: String)
  /// This build has no store for the scheme.
  case unsupported(StoreScheme)

  package var message: String {
    switch self {
    case .malformed(let text, _, let finding): "the location \(Self.shown(text)) is not sound: \(finding)"
    case .holdsSecret(let text, _): "the location \(Self.shown(text)) has a password or a key in it"
    case .otherForm(let text, _): "\(Self.shown(text)) looks like a server, and is no location of one"
    case .notABucket(let location):
      "\(location) neither locks objects nor keeps versions of them: only a bucket of S3 does"
    case .unsupported(let scheme): "this holdfast cannot reach locations that begin with \(scheme.rawValue):"
    }
  }

  private static func shown(_ text: String) -> String { Path(AddressText.masked(text)).description }

  package var hint: String? {
    switch self {
    case .malformed(_, let scheme, _):
      "Write \(scheme.form); a directory whose name begins with \(scheme.rawValue): is written ./\(scheme.rawValue):NAME."
    case .holdsSecret(_, .s3):
      "Write \(StoreScheme.s3.form), and the keys into a file that `credentials-file` in the configuration names, or into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    case .holdsSecret(_, let scheme): "Write \(scheme.form); ssh logs in with a key."
    case .otherForm(_, let scheme):
      "Write \(scheme.form); with ./ in front it is a directory of this machine."
    case .notABucket:
      "Take `lock` and `versions` out of its configuration, and unset HOLDFAST_LOCK and HOLDFAST_VERSIONS."
    case .unsupported(let scheme):
      "Name a directory; one whose name begins with \(scheme.rawValue): is written ./\(scheme.rawValue):NAME."
    }
  }

  package var exitStatus: ExitStatus { .usage }
  package var scope: ErrorScope { .usage }
}
