package import HoldfastModel

/// The reason why a target is behind, if its store gave no error.
package enum BehindReason: OperatorError, Equatable {
  /// It was behind when the run began.
  case wasBehind(target: String)
  /// - Parameter waited: the time for which the run waited.
  case tooSlow(target: String, waited: TimeSpan)
  /// So many objects were written at once that no memory was left to hold bytes for this target.
  case noRoom(target: String)
  /// Its object under a key is not the one at home.
  case forked(key: String, target: String, location: String)

  package var message: String {
    switch self {
    case .wasBehind(let target): "\(target) was behind when the run began"
    case .tooSlow(let target, let waited):
      "\(target) is slower than the other targets, and was waited for as long as it may be (\(waited.rounded()))"
    case .noRoom(let target): "too many objects were written at once to hold bytes of all of them for \(target)"
    case .forked(let key, let target, let location):
      "\(key) in \(location), the target \(target), is another object than at home: neither is replaced"
    }
  }

  package var hint: String? {
    switch self {
    case .wasBehind, .tooSlow, .noRoom: "Run `holdfast sync` to bring it up."
    case .forked: "Two runs wrote it, each at a home of its own: find out which of them counts before you sync."
    }
  }

  package var exitStatus: ExitStatus { .failed }

  package var scope: ErrorScope {
    switch self {
    case .wasBehind, .tooSlow, .noRoom: .transient
    case .forked: .usage
    }
  }
}
