package import HoldfastModel

/// The reason why an object cannot be written in shards, or not be read where it is asked for.
package enum ShardError: OperatorError, Equatable {
  /// Fewer targets take shards than an object needs to be read.
  /// - Parameters:
  ///   - have: the number of targets that do.
  ///   - causes: the reasons why each of the others does not, with its name.
  case tooFew(ErasureScheme, have: Int, causes: [String])
  /// The target where the repository was opened has no shards, and may not decide what is there.
  case spare(name: String, ErasureScheme)
  /// One location alone was opened, and it has only shards.
  /// - Parameter targets: the names and locations of all targets.
  case scattered(location: String, ErasureScheme, targets: [String])

  package var message: String {
    switch self {
    case .tooFew(let scheme, let have, let causes):
      "only \(Amount.count(UInt64(have), "target")) of the \(scheme.data) that \(scheme) needs can take shards"
        + (causes.isEmpty ? "" : ": " + causes.joined(separator: "; "))
    case .spare(let name, let scheme):
      "\(name) is a spare: it has no shards of \(scheme), and nothing is written from there"
    case .scattered(let location, let scheme, let targets):
      "what \(location) has of archives are shards, \(scheme), and it has one of each: the others are at \(targets.joined(separator: ", "))"
    }
  }

  package var hint: String? {
    switch self {
    case .tooFew:
      "Run `holdfast target list` to see which targets do not answer, and `holdfast sync` to bring up those that are behind."
    case .spare: "Name a target first in the configuration that has shards: `holdfast target list` shows them."
    case .scattered(_, let scheme, _):
      "Name all of them as `targets:` of a repository in the configuration, with `erasure: \(scheme)`, and say --repository with its name."
    }
  }

  package var exitStatus: ExitStatus { .failed }

  package var scope: ErrorScope { if case .tooFew = self { .transient } else { .usage } }
}
