package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// The part of the stored bytes of one source at one target that a scrub has proved, in the fixed order in which rounds
/// of verifies go: `VerifyRound.parts` make all of them.
package struct TargetProof: Hashable, Sendable, Codable {
  /// The first part, and the number of parts; after the last part comes the first one again.
  package var first: Int
  package var count: Int
  /// The start of the scrub; stored in whole seconds since 1970-01-01 UTC.
  package var time: Timestamp

  package init(first: Int, count: Int, time: Timestamp) { (self.first, self.count, self.time) = (first, count, time) }

  private enum CodingKeys: String, CodingKey {
    case first, count, time
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    first = try container.decode(Int.self, forKey: .first)
    count = try container.decode(Int.self, forKey: .count)
    time = Timestamp(seconds: try container.decode(Int64.self, forKey: .time), nanoseconds: 0)
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(first, forKey: .first)
    try container.encode(count, forKey: .count)
    try container.encode(time.seconds, forKey: .time)
  }
}

/// What this machine has proved of targets, by their names, and there by source.
struct ScrubRecord: Hashable, MachineRecord {
  static let kind = "scrubbed"
  /// A round of daily scrubs has thirty.
  static let proofsMax = 128

  var repository: Identifier?
  var proofs: [String: [String: [TargetProof]]] = [:]
}

/// What was proved of one source at one target.
package struct TargetProofs: Hashable, Sendable {
  /// When the oldest of the scrubs began that together have proved all of it; `nil` when they have not.
  package let allSince: Timestamp?
  /// The share that they have proved, 0 to 1.
  package let share: Double

  package init(_ proofs: [TargetProof]) {
    var covered = [Bool](repeating: false, count: Self.steps)
    var left = Self.steps
    var since: Timestamp?
    for proof in proofs.sorted(by: { $0.time > $1.time }) where left > 0 {
      for step in Self.steps(of: proof) where !covered[step] {
        covered[step] = true
        left -= 1
      }
      since = proof.time
    }
    allSince = left == 0 ? since : nil
    share = Double(Self.steps - left) / Double(Self.steps)
  }

  /// Parts are counted in steps of sixteen; one that is proved in part does not count.
  private static let partsPerStep = 16
  private static let steps = VerifyRound.parts / partsPerStep

  private static func steps(of proof: TargetProof) -> [Int] {
    guard (0..<VerifyRound.parts).contains(proof.first), proof.count > 0 else { return [] }
    guard proof.count < VerifyRound.parts else { return Array(0..<steps) }
    let first = (proof.first + partsPerStep - 1) / partsPerStep
    let end = (proof.first + proof.count) / partsPerStep
    return first < end ? (first..<end).map { $0 % steps } : []
  }
}

extension MachineRecords {
  /// What was proved of a source at a target.
  /// - Parameter oldest: proofs that are older do not count; `nil` if all count.
  package func proofs(
    of source: SourceName, at target: String, since oldest: Timestamp? = nil
  ) -> TargetProofs {
    let proofs = load(ScrubRecord.self).proofs[target]?[source.text] ?? []
    return TargetProofs(proofs.filter { proof in oldest.map { $0 <= proof.time } ?? true })
  }
}
