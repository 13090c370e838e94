package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// The share of the stored bytes that a scrub proves: all, or the next parts of their fixed order.
package struct ScrubRound {
  /// The first part, in units of 1/`VerifyRound.parts`.
  private let first: Int
  private let count: Int
  /// The names of the targets of a round that is continued; `nil` for a share that was given.
  private let targets: Set<String>?
  private let repository: Repository

  /// - Parameters:
  ///   - share: the share, 0 to 1; `nil` for all.
  ///   - targets: the names of the targets whose round is continued; empty for all.
  package init(share: Double?, of targets: Set<String>, of repository: Repository) {
    let count = Int(saturating: ((share ?? 1) * Double(VerifyRound.parts)).rounded(.up))
    let first = count < VerifyRound.parts ? repository.machine.nextPart(of: targets) : 0
    self.init(first: first, count: count, of: repository, round: count < VerifyRound.parts ? targets : nil)
  }

  package init(first: Int, count: Int, of repository: Repository) {
    self.init(first: first, count: count, of: repository, round: nil)
  }

  private init(first: Int, count: Int, of repository: Repository, round targets: Set<String>?) {
    (self.first, self.repository, self.targets) = (first, repository, targets)
    self.count = max(1, min(count, VerifyRound.parts))
  }

  package var share: Double { Double(count) / Double(VerifyRound.parts) }
  package var begin: Double { Double(first) / Double(VerifyRound.parts) }

  /// Remembers on this machine what the scrub has proved, and goes on with the round if a target was scrubbed: damage
  /// that stands does not hold it up.
  package func remember(_ results: [ScrubResult], at began: Timestamp, warn: (String) -> Void) {
    do {
      try repository.machine.remember(results, first: first, count: count, at: began)
      if let targets, results.contains(where: { $0.failure == nil }) {
        try repository.machine.remember(nextPart: first + count, of: targets)
      }
    } catch {
      warn(
        "this machine cannot remember what it has proved: \(describe(error).message); set HOLDFAST_STATE_DIR")
    }
  }
}
