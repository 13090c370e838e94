package import HoldfastModel

/// The status of several sources, judged as one.
package struct StatusVerdict: Sendable {
  /// True if anything stored is damaged or missing.
  package let isDamaged: Bool
  /// True if an objective is missed. Without any source, the age of the newest snapshot is missed.
  package let isMissed: Bool
  /// True if there is an objective to meet.
  package let isJudged: Bool
  /// The worst level of the sources; `critical` without any source, because then nothing can be restored. `nil` if all
  /// is well.
  package let level: SourceStatus.Concern.Level?

  /// - Parameter objectives: the objectives of every source.
  package init(_ statuses: [SourceStatus], _ objectives: Objectives) {
    isDamaged = statuses.contains {
      !$0.damage.isEmpty || $0.standingDamage != nil || !$0.notedDamage.isEmpty || $0.restorable < $0.snapshots
    }
    isMissed = statuses.contains { !$0.missed.isEmpty } || (statuses.isEmpty && objectives.maxAge != nil)
    isJudged = !objectives.isEmpty || statuses.contains { !$0.objectives.isEmpty }
    level = statuses.isEmpty ? .critical : statuses.compactMap(\.level).max()
  }

  /// Never `done` where the level is critical.
  package var exitStatus: ExitStatus {
    isDamaged ? .dataLoss : isMissed || level == .critical ? .objectiveMissed : .done
  }
}
