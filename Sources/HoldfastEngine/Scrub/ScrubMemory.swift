package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

extension MachineRecords {
  /// Remembers what a scrub has proved, and found sound or repaired.
  /// - Parameters:
  ///   - first: where its share began, of `VerifyRound.parts`.
  ///   - count: how much that was.
  package func remember(_ results: [ScrubResult], first: Int, count: Int, at time: Timestamp) throws {
    let sound = results.flatMap { result in result.sources.filter(\.isSound).map { (result.target, $0.source.text) } }
    guard !sound.isEmpty else { return }
    try change(ScrubRecord.self) { record in
      for (target, source) in sound {
        let proof = TargetProof(first: first, count: count, time: time)
        // One that proves all takes the place of all before it.
        let before = count < VerifyRound.parts ? record.proofs[target]?[source] ?? [] : []
        record.proofs[target, default: [:]][source] = Array((before + [proof]).suffix(ScrubRecord.proofsMax))
      }
    }
  }

  /// The part with which the next scrub of a share begins at a target, of `VerifyRound.parts`.
  package func nextPart(at target: String) -> Int {
    let newest = load(ScrubRecord.self).proofs[target]?.values.compactMap(\.last).max { $0.time < $1.time }
    guard let newest, (0..<VerifyRound.parts).contains(newest.first) else { return 0 }
    return (newest.first + max(0, min(newest.count, VerifyRound.parts))) % VerifyRound.parts
  }
}
