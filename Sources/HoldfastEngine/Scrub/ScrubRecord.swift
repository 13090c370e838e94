package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// The results of the scrubs of this machine, by target and source, and the positions of their rounds.
struct ScrubRecord: Hashable, MachineRecord {
  static let kind = "scrubbed"
  /// The most proofs that are kept of one source at one target. A round of daily scrubs has thirty.
  static let proofsMax = 128

  /// The results at one target.
  struct Place: Hashable, Codable {
    /// The location at which the results were found. Results from another location do not count.
    var location: String
    var sources: [String: SourceMemory] = [:]
  }

  var repository: Identifier?
  var targets: [String: Place] = [:]
  /// The part with which the next scrub of a share begins, by the names of the targets that the round is for.
  var rounds: [String: Int] = [:]
}

/// The results of the scrubs of this machine for one source at one target.
package struct SourceMemory: Hashable, Sendable, Codable {
  /// The proofs since damage was last found, the oldest first.
  package internal(set) var proofs: [TargetProof] = []
  /// True if damage was found that no scrub of everything has shown to be gone since.
  package internal(set) var isDamaged = false
}

extension MachineRecords {
  /// Returns the results of the scrubs of a source at a target.
  /// - Parameter location: the location of the target now.
  package func scrubs(of source: SourceName, at target: String, in location: String) -> SourceMemory {
    let place = load(ScrubRecord.self).targets[target]
    return place.flatMap { $0.location == location ? $0.sources[source.text] : nil } ?? SourceMemory()
  }

  /// Forgets the results at a target, because it was made anew.
  package func forgetScrubs(at target: String) throws {
    guard load(ScrubRecord.self).targets[target] != nil else { return }
    try change(ScrubRecord.self) { $0.targets[target] = nil }
  }
}
