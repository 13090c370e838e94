package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// The share of the stored bytes that a scrub proves: all, or the next parts of their fixed order.
package struct ScrubRound {
  /// The first part, in units of 1/`VerifyRound.parts`.
  private let first: Int
  private let count: Int
  private let repository: Repository

  /// - Parameters:
  ///   - share: the share, 0 to 1; `nil` for all.
  ///   - target: the name of the target whose round is continued.
  package init(share: Double?, at target: String, of repository: Repository) {
    let count = Int(saturating: ((share ?? 1) * Double(VerifyRound.parts)).rounded(.up))
    let first = count < VerifyRound.parts ? repository.machine.nextPart(at: target) : 0
    self.init(first: first, count: count, of: repository)
  }

  package init(first: Int, count: Int, of repository: Repository) {
    (self.first, self.repository) = (first, repository)
    self.count = max(1, min(count, VerifyRound.parts))
  }

  package var share: Double { Double(count) / Double(VerifyRound.parts) }
  package var begin: Double { Double(first) / Double(VerifyRound.parts) }

  /// Remembers on this machine what the scrub has proved.
  package func remember(_ results: [ScrubResult], at began: Timestamp, warn: (String) -> Void) {
    do {
      try repository.machine.remember(results, first: first, count: count, at: began)
    } catch {
      warn(
        "this machine cannot remember what it has proved: \(describe(error).message); set HOLDFAST_STATE_DIR")
    }
  }
}
