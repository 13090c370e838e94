/// The verdict on something that was tried, from the mildest to the worst.
package enum TrialVerdict: String, Sendable, Comparable, CaseIterable {
  case notTried, ok, warning, failed

  private var severity: Int {
    switch self {
    case .notTried: 0
    case .ok: 1
    case .warning: 2
    case .failed: 3
    }
  }

  package static func < (left: Self, right: Self) -> Bool { left.severity < right.severity }
}

/// A group of results in the output: those of a repository, of its keys, of a source.
package struct TrialGroup: Sendable, Hashable {
  package enum Kind: String, Sendable {
    case repository, keys, room, source, database, log, clock, schedule, notification
  }

  package let kind: Kind
  /// The name of the repository or the source; `nil` for what there is once on a machine.
  package let subject: String?

  init(_ kind: Kind, of subject: String? = nil) { (self.kind, self.subject) = (kind, subject) }
}

/// One thing that was tried, and what came of it.
package struct TrialResult: Sendable, Hashable {
  package let group: TrialGroup
  /// The thing that was tried, in a word or two: `target cloud`.
  package let name: String
  package let verdict: TrialVerdict
  /// The finding, without secrets.
  package let text: String
  /// The next thing to do, as a sentence; `nil` if there is nothing to do.
  package let hint: String?
}
