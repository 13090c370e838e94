package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

extension MachineRecords {
  /// Remembers the sources that a scrub has proved, and found sound or repaired, at each target.
  /// - Parameters:
  ///   - first: the first part of its share, in units of 1/`VerifyRound.parts`.
  ///   - count: the number of these parts.
  package func remember(_ results: [ScrubResult], first: Int, count: Int, at time: Timestamp) throws {
    let sound = results.flatMap { result in result.sources.filter(\.isSound).map { (result.target, $0.source.text) } }
    guard !sound.isEmpty else { return }
    try change(ScrubRecord.self) { record in
      for (target, source) in sound {
        let proof = TargetProof(first: first, count: count, time: time)
        // A scrub that proves everything replaces all earlier ones.
        let before = count < VerifyRound.parts ? record.proofs[target]?[source] ?? [] : []
        record.proofs[target, default: [:]][source] = Array((before + [proof]).suffix(ScrubRecord.proofsMax))
      }
    }
  }

  /// Returns the part with which the next scrub of a share begins at a target, from 0 up to `VerifyRound.parts` - 1.
  package func nextPart(at target: String) -> Int {
    let newest = load(ScrubRecord.self).proofs[target]?.values.compactMap(\.last).max { $0.time < $1.time }
    guard let newest, (0..<VerifyRound.parts).contains(newest.first) else { return 0 }
    return (newest.first + max(0, min(newest.count, VerifyRound.parts))) % VerifyRound.parts
  }
}
