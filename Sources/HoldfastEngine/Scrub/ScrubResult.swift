package import HoldfastArchive
package import HoldfastModel

/// An object that is not at a target as the signed manifests demand, and what has become of that.
package struct ScrubFinding: Sendable {
  package enum Outcome: Sendable, Equatable {
    /// It was replaced by sound bytes of other targets.
    case repaired
    /// Other targets have it sound.
    case repairable
    /// Other targets have it sound, and it could not be replaced.
    case unrepaired(reason: String)
    /// No target that answered has it sound, and others did not answer.
    case doubtful
    /// No target has it sound.
    case lost
  }

  /// The key of the object.
  package let object: String
  package let message: String
  package internal(set) var outcome: Outcome
  /// The snapshots that lose data by it, in ascending sequence; empty unless it is lost.
  package internal(set) var snapshots: [Snapshot] = []

  /// What the finding alone ends with.
  package var exitStatus: ExitStatus {
    switch outcome {
    case .repaired: .done
    case .repairable, .unrepaired: .repairableDamage
    case .doubtful, .lost: .dataLoss
    }
  }
}

/// What a target has not got yet: nothing there shows that it ever had it. A sync copies it.
package struct ScrubLag: Sendable, Equatable {
  /// Number of snapshots.
  package internal(set) var snapshots = 0
  /// Number of files of archived log.
  package internal(set) var logs = 0
  /// Whether home has newer notes.
  package internal(set) var hasOldNotes = false

  package var isNone: Bool { self == ScrubLag() }
}

/// What a scrub has found of one source at one target.
package struct SourceScrub: Sendable {
  package let source: SourceName
  package internal(set) var findings: [ScrubFinding] = []
  /// What home has and the target does not.
  package internal(set) var behind = ScrubLag()
  /// The keys of objects that no manifest knows, in ascending order.
  package internal(set) var unknown: [String] = []
  /// Stored bytes that were read and proved.
  package internal(set) var provenBytes: UInt64 = 0
  /// Number of objects of which something was read and proved.
  package internal(set) var provenObjects: UInt64 = 0
  /// The newest snapshot that loses nothing by what was found; `nil` when there is none, or nothing is lost.
  package internal(set) var newestWhole: Snapshot?
  /// Of home: the snapshots that need something that is still damaged there, in ascending sequence.
  var damaged: [Snapshot] = []
  /// Of home: the snapshots of which everything was proved after something was repaired.
  var mended: [Snapshot] = []
  /// Why the scrub of it stopped; `nil` when it came to its end.
  package internal(set) var failure: (any OperatorError)?

  init(_ source: SourceName) { self.source = source }

  /// A sync has copied what was missing.
  mutating func bringUp(_ result: TargetResult) {
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

  /// Whether nothing was found that stands.
  package var isSound: Bool { exitStatus == .done }
}

/// What a scrub has found at one target.
package struct ScrubResult: Sendable {
  package let target: String
  package let location: String
  package let isHome: Bool
  /// About the descriptor and the keyring.
  package internal(set) var findings: [ScrubFinding] = []
  package internal(set) var sources: [SourceScrub] = []
  /// Whether home has a newer revision of the keyring.
  package internal(set) var hasOldKeyring = false
  /// Why the notes at home do not say what was found; `nil` when they do, or nothing is to be said.
  package internal(set) var unnoted: (any OperatorError)?
  /// Why nothing could be looked at there; `nil` when its sources say how it went.
  package internal(set) var failure: (any OperatorError)?

  package init(_ target: String, at location: String, isHome: Bool, failure: (any OperatorError)? = nil) {
    (self.target, self.location, self.isHome, self.failure) = (target, location, isHome, failure)
  }

  /// All findings, those of the catalog first.
  package var allFindings: [ScrubFinding] { findings + sources.flatMap(\.findings) }

  package var exitStatus: ExitStatus {
    .worst(
      of: findings.map(\.exitStatus) + sources.map(\.exitStatus)
        + [hasOldKeyring ? .incomplete : .done, Self.status(of: failure)])
  }

  /// Whether nothing was found that stands.
  package var isSound: Bool { exitStatus == .done }

  /// A target that could not be reached is not damaged.
  static func status(of failure: (any OperatorError)?) -> ExitStatus {
    guard let failure else { return .done }
    return failure.exitStatus == .locked || failure.isDamage ? failure.exitStatus : .incomplete
  }
}
