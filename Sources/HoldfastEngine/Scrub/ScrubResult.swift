package import HoldfastArchive
package import HoldfastModel

/// An object that a target does not have as the signed manifests demand, and the outcome of its repair.
package struct ScrubFinding: Sendable {
  package enum Outcome: Sendable, Equatable {
    /// It was replaced by sound bytes.
    case repaired
    /// Its parity gives back what is lost, other targets have it sound, or the source still has its pages.
    case repairable
    /// It could not be replaced. Other targets may have it sound.
    case unrepaired(reason: String)
    /// No target that answered has it sound, and not all targets answered.
    case doubtful
    /// No target has it sound, no parity gives it back, and the source has not all of its pages.
    case lost
  }

  /// The origin of the bytes with which an object is repaired.
  package enum Origin: Sendable, Equatable {
    /// The object itself, by its parity.
    case parity
    /// Other targets.
    case targets
    /// The directory of the source on this machine: so many frames of the object are made again from its pages.
    case source(frames: Int, directory: Path)
  }

  /// The key of the object.
  package let object: String
  package let message: String
  package internal(set) var outcome: Outcome
  /// The origin of the sound bytes of an object that was repaired; of one that is repairable only if it is the source.
  package internal(set) var origin: Origin?
  /// The reason why the source cannot give back what is lost; `nil` if it was not asked.
  package internal(set) var obstacle: String?
  /// The snapshots that lose data by it, in ascending sequence; empty unless it is lost or doubtful.
  package internal(set) var snapshots: [Snapshot] = []

  /// The exit status of a command with only this finding.
  package var exitStatus: ExitStatus {
    switch outcome {
    case .repaired: .done
    case .repairable, .unrepaired: .repairableDamage
    case .doubtful, .lost: .dataLoss
    }
  }
}

/// The things that a target does not have yet: nothing there shows that it ever had them. A sync copies them.
package struct ScrubLag: Sendable, Equatable {
  /// The number of snapshots.
  package internal(set) var snapshots = 0
  /// The number of files of archived log.
  package internal(set) var logs = 0
  /// True if home has newer notes.
  package internal(set) var hasOldNotes = false

  package var isNone: Bool { self == ScrubLag() }
}

/// The result of a scrub for one source at one target.
package struct SourceScrub: Sendable {
  package let source: SourceName
  package internal(set) var findings: [ScrubFinding] = []
  /// The things that home has and the target does not have yet; for home, those that were made at another target.
  package internal(set) var behind = ScrubLag()
  /// True if a sync was made after the proof, because the target was behind.
  package internal(set) var wasBroughtUp = false
  /// The keys of objects that no manifest names, in ascending order.
  package internal(set) var unknown: [String] = []
  /// The number of stored bytes that were read and proved.
  package internal(set) var provenBytes: UInt64 = 0
  /// The number of objects of which something was read and proved.
  package internal(set) var provenObjects: UInt64 = 0
  /// The newest snapshot that loses no data by the findings; `nil` when there is none, or when no data is lost.
  package internal(set) var newestWhole: Snapshot?
  /// The snapshots that need an object that is still damaged at home, in ascending sequence; empty for other targets.
  var damaged: [Snapshot] = []
  /// The reason why the scrub of the source failed; `nil` when it did not.
  package internal(set) var failure: (any OperatorError)?

  init(_ source: SourceName) { self.source = source }

  /// Notes the result of a sync that copied what the target did not have yet.
  mutating func bringUp(_ result: TargetResult) {
    wasBroughtUp = true
    let synced = result.sources.first { $0.source == source }
    failure = failure ?? result.failure ?? synced?.failure
    guard failure == nil, let synced else { return }
    behind = ScrubLag()
    behind.snapshots = synced.behind
  }

  package var exitStatus: ExitStatus {
    .worst(
      of: findings.map(\.exitStatus) + [behind.isNone ? .done : .incomplete, ScrubResult.status(of: failure)])
  }

  /// True if all that was looked at is sound or repaired, nothing is behind, and nothing failed.
  package var isSound: Bool { exitStatus == .done }
}

/// The result of a scrub at one target.
package struct ScrubResult: Sendable {
  package let target: String
  package let location: String
  package let isHome: Bool
  /// The mark of the place; `nil` if it has none, or did not answer.
  package internal(set) var mark: Identifier?
  /// True if this scrub has marked the place.
  package internal(set) var isMarkNew = false
  /// The findings about the descriptor, the keyring, the list of targets and the names of sources.
  package internal(set) var findings: [ScrubFinding] = []
  package internal(set) var sources: [SourceScrub] = []
  /// True if home has a newer revision of the keyring.
  package internal(set) var hasOldKeyring = false
  /// True if home has a newer revision of the list of targets.
  package internal(set) var hasOldTargets = false
  /// True if home has a newer revision of the names of sources.
  package internal(set) var hasOldNames = false
  /// The reason why the findings could not be noted at home; `nil` when they were, or when there is nothing to note.
  package internal(set) var unnoted: (any OperatorError)?
  /// The reason why the target could not be scrubbed; `nil` when the results are in `sources`.
  package internal(set) var failure: (any OperatorError)?

  package init(_ target: String, at location: String, isHome: Bool, failure: (any OperatorError)? = nil) {
    (self.target, self.location, self.isHome, self.failure) = (target, location, isHome, failure)
  }

  /// All findings, those of the catalog first.
  package var allFindings: [ScrubFinding] { findings + sources.flatMap(\.findings) }

  package var exitStatus: ExitStatus {
    .worst(
      of: findings.map(\.exitStatus) + sources.map(\.exitStatus)
        + [hasOldKeyring || hasOldTargets || hasOldNames ? .incomplete : .done, Self.status(of: failure)])
  }

  /// True if all that was looked at is sound or repaired, nothing is behind, and nothing failed.
  package var isSound: Bool { exitStatus == .done }

  /// True if a sync has something to copy.
  var isBehind: Bool { hasOldKeyring || hasOldTargets || hasOldNames || sources.contains { !$0.behind.isNone } }

  /// Returns the exit status of a failure. A target that could not be reached is incomplete, not damaged.
  static func status(of failure: (any OperatorError)?) -> ExitStatus {
    guard let failure else { return .done }
    return failure.exitStatus == .locked || failure.isDamage ? failure.exitStatus : .incomplete
  }
}
