package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

extension MachineRecords {
  /// Remembers the sources that a scrub has proved, and found sound or repaired, at each target, and those that are
  /// damaged there.
  /// - Parameters:
  ///   - first: the first part of its share, in units of 1/`VerifyRound.parts`.
  ///   - count: the number of these parts.
  package func remember(_ results: [ScrubResult], first: Int, count: Int, at time: Timestamp) throws {
    let told = results.filter { result in result.sources.contains { $0.isProof || result.isDamaged($0) } }
    guard !told.isEmpty else { return }
    let proof = TargetProof(first: first, count: count, time: time)
    try change(ScrubRecord.self) { record in
      for result in told {
        let anew = ScrubRecord.Place(location: result.location, mark: result.mark)
        var place = record.targets[result.target] ?? anew
        // What was found before the place was marked counts.
        if result.isMarkNew, place.mark == nil { place.mark = result.mark }
        if !place.isAt(PlaceIdentity(result.location, result.mark)) { place = anew }
        for source in result.sources {
          var memory = place.sources[source.source.key] ?? SourceMemory()
          if result.isDamaged(source) {
            memory = SourceMemory()
            memory.isDamaged = true
          } else if source.isProof {
            memory.note(proof)
          }
          place.sources[source.source.key] = memory
        }
        record.targets[result.target] = place
      }
    }
  }

  /// Returns the part with which the next scrub of a share begins, from 0 up to `VerifyRound.parts` - 1.
  /// - Parameter targets: the names of the targets that the round is for; empty for all.
  package func nextPart(of targets: Set<String>) -> Int {
    let next = load(ScrubRecord.self).rounds[Self.round(targets)] ?? 0
    return (0..<VerifyRound.parts).contains(next) ? next : 0
  }

  /// Remembers the part with which the next scrub of a share begins.
  package func remember(nextPart: Int, of targets: Set<String>) throws {
    try change(ScrubRecord.self) { $0.rounds[Self.round(targets)] = nextPart % VerifyRound.parts }
  }

  private static func round(_ targets: Set<String>) -> String { targets.sorted().joined(separator: " ") }
}

extension SourceMemory {
  /// Adds a proof. One of everything replaces all earlier results.
  fileprivate mutating func note(_ proof: TargetProof) {
    if proof.count >= VerifyRound.parts { self = SourceMemory() }
    proofs = Array((proofs + [proof]).suffix(ScrubRecord.proofsMax))
  }
}

extension SourceScrub {
  /// True if the scrub has proved what the target has now. A sync that followed it copied more.
  fileprivate var isProof: Bool { isSound && !wasBroughtUp }
}

extension ScrubResult {
  /// True if damage to a source is left. Damage to the descriptor or the keyring counts for every source.
  fileprivate func isDamaged(_ source: SourceScrub) -> Bool {
    (findings + source.findings).contains { $0.outcome != .repaired }
  }
}
