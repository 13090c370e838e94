package import HoldfastModel

/// The reason why a target is behind, if its store gave no error. Each message continues "NAME is behind: ".
package enum BehindReason: OperatorError, Equatable {
  /// It did not have all that home has when the run began.
  case wasBehind
  /// It had snapshots that home gave a number and does not have any more.
  case wasAhead
  /// It did not answer.
  /// - Parameter waited: the time for which the run waited.
  case noAnswer(waited: TimeSpan)
  /// Earlier in this run it did not answer.
  case wasAway(reason: String)
  /// Another run has its lease on the source.
  case busy(name: String, location: String)
  /// It is slower than the other targets.
  /// - Parameter waited: the time for which the run waited.
  case tooSlow(waited: TimeSpan)
  /// So many objects were written at once that no memory was left to hold bytes for this target.
  case noRoom
  /// Its object under a key is not the one at home.
  case forked(key: String, location: String)
  /// The run ended before everything was sent.
  case runEnded

  package var message: String {
    switch self {
    case .wasBehind: "it was behind when the run began"
    case .wasAhead: "it has snapshots that home has lost: home was put back"
    case .noAnswer(let waited): "it did not answer within \(waited.rounded())"
    case .wasAway(let reason): "it was not asked again, because it did not answer earlier in this run (\(reason))"
    case .busy(let name, let location): "another run works on \(name) in \(location)"
    case .tooSlow(let waited):
      "it is slower than the other targets, and was waited for as long as it may be (\(waited.rounded()))"
    case .noRoom: "too many objects were written at once to hold bytes of all of them for it"
    case .forked(let key, let location): "\(key) in \(location) is another object than at home: neither is replaced"
    case .runEnded: "the run ended before it had everything"
    }
  }

  package var hint: String? {
    switch self {
    case .wasBehind, .noAnswer, .wasAway, .busy, .tooSlow, .noRoom, .runEnded: "Run `holdfast sync` to bring it up."
    case .wasAhead: "Run `holdfast scrub --repair`: it brings back what home has lost."
    case .forked: "Two runs wrote it, each at a home of its own: find out which of them counts before you sync."
    }
  }

  package var exitStatus: ExitStatus { if case .busy = self { .locked } else { .failed } }

  package var scope: ErrorScope { if case .forked = self { .usage } else { .transient } }
}
