package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The share of the stored bytes of one source at one target that a scrub has proved. It is a run of parts of the fixed
/// order in which verifies go round; `VerifyRound.parts` parts are all bytes.
package struct TargetProof: Hashable, Sendable, Codable {
  /// The first part, counted from 0.
  package var first: Int
  /// The number of parts. The last part of the order is followed by part 0.
  package var count: Int
  /// The start of the scrub; stored in whole milliseconds since 1970-01-01 UTC.
  package var time: Timestamp

  package init(first: Int, count: Int, time: Timestamp) { (self.first, self.count, self.time) = (first, count, time) }

  private enum CodingKeys: String, CodingKey {
    case first, count, time
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    first = try container.decode(Int.self, forKey: .first)
    count = try container.decode(Int.self, forKey: .count)
    time = Timestamp(milliseconds: try container.decode(Int64.self, forKey: .time))
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(first, forKey: .first)
    try container.encode(count, forKey: .count)
    try container.encode(time.milliseconds, forKey: .time)
  }
}

/// The result of all proofs of one source at one target.
package struct TargetProofs: Hashable, Sendable {
  /// The start of the oldest of the newest scrubs that together have proved everything; `nil` when not all is proved.
  package let allSince: Timestamp?
  /// The share that is proved, 0 to 1.
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

  /// The number of parts of a step. A step of which not all parts are proved does not count.
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
