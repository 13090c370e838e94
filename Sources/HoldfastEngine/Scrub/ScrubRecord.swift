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
    /// The mark of the place at that time. Results from a place with another mark do not count.
    var mark: Identifier?
    var sources: [String: SourceMemory] = [:]

    /// True if this is the place. One whose mark is gone, or cannot be read now, is taken for the one that is known at
    /// its location.
    func isAt(_ place: PlaceIdentity) -> Bool { place.location == location && (place.mark ?? mark) == mark }
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
  /// - Parameter place: the identity of the target now.
  package func scrubs(of source: SourceName, at target: String, in place: PlaceIdentity) -> SourceMemory {
    let known = load(ScrubRecord.self).targets[target]
    return known.flatMap { $0.isAt(place) ? $0.sources[source.key] : nil } ?? SourceMemory()
  }

  /// Remembers that a source is damaged at a target, until a scrub has proved all of it again.
  package func rememberDamage(of source: SourceName, at target: String, in place: PlaceIdentity) throws {
    try change(ScrubRecord.self) { record in
      let anew = ScrubRecord.Place(location: place.location, mark: place.mark)
      var known = record.targets[target] ?? anew
      if !known.isAt(place) { known = anew }
      var memory = SourceMemory()
      memory.isDamaged = true
      known.sources[source.key] = memory
      record.targets[target] = known
    }
  }

  /// Forgets the results at a target, because it was made anew.
  package func forgetScrubs(at target: String) throws {
    guard load(ScrubRecord.self).targets[target] != nil else { return }
    try change(ScrubRecord.self) { $0.targets[target] = nil }
  }
}
