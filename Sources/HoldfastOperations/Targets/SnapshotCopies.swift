package import HoldfastEngine
package import HoldfastModel
internal import Synchronization

/// The targets that have a new snapshot.
package struct SnapshotCopies: Sendable {
  /// The name of home, which has it.
  package let home: String
  /// The number of the snapshot, and the numbers of all snapshots that it builds on.
  package let chain: [UInt64]
  package let minCopies: Int
  /// The names of the other targets that got the snapshot in the pass.
  let passed: Set<String>
  /// The other targets, each with the result of its sync.
  package let others: [TargetResult]
  /// The names of the targets that have no shards, and do not count.
  let spares: Set<String>
  /// The setting that says how many targets must have it.
  let minimumSetting: String

  package func has(_ target: TargetResult) -> Bool {
    passed.contains(target.target) || target.sources.contains { $0.has(chain) }
  }

  /// The names of the targets that have it, home first.
  package var holders: [String] { [home] + others.filter(has).map(\.target) }

  package var isEnough: Bool { counted.count >= minCopies }

  /// The holders without which less of it would be there.
  fileprivate var counted: [String] { holders.filter { !spares.contains($0) } }

  package var exitStatus: ExitStatus {
    let isWhole = isEnough && !others.contains(where: \.hasMore)
    return .worst(of: others.compactMap { $0.decision?.exitStatus } + [isWhole ? .done : .incomplete])
  }

  /// Says in one line which targets have it.
  package var summary: String {
    let behind = others.filter { !has($0) }.map(\.target)
    return "on \(holders.joined(separator: ", "))"
      + (behind.isEmpty ? "" : "; \(behind.joined(separator: ", ")) \(behind.count == 1 ? "is" : "are") behind")
  }
}

extension RunWatch {
  /// Reports the targets that are behind, and the causes.
  /// - Parameter source: the source, if there are several.
  package func tell(_ copies: SnapshotCopies, of source: SourceName? = nil) {
    for target in copies.others where !target.isInStep {
      let text = "\(target.target) is behind: \(target.cause ?? "not all of it was copied")"
      tellAndRecord(Notice(.warning, text, of: source), as: text)
    }
    for target in copies.others {
      for text in target.sources.flatMap({ $0.warnings(at: target.target) }) {
        tellAndRecord(Notice(.warning, text, of: source), as: text)
      }
    }
    if copies.others.contains(where: \.hasMore) {
      tell(Notice(.hint, "Run `holdfast scrub --repair`: it brings back what home has lost."))
    }
    guard !copies.isEnough else { return }
    let count = copies.counted.count
    let text =
      "only \(count) of the \(copies.minCopies) targets that shall have it have the snapshot: \(copies.counted.joined(separator: ", "))"
    tellAndRecord(Notice(.incomplete, text, of: source), as: "INCOMPLETE: " + text)
    let setting = copies.minimumSetting
    tell(Notice(.hint, "Run `holdfast sync` when they can be reached; `\(setting)` says how many must have it."))
  }
}

/// Shows the progress of several syncs as one.
package final class SyncProgress: SyncObserver, @unchecked Sendable {
  // Sendable because of the lock: one thread at a time uses the display.
  private let shown: any ProgressObserver
  private let hasBegun = Mutex(false)

  package init(_ shown: any ProgressObserver) { self.shown = shown }

  package func began(_ plan: SyncPlan, at target: String) {
    hasBegun.withLock { hasBegun in
      if !hasBegun { shown.begin(phase: "copying to other targets", totalBytes: nil) }
      hasBegun = true
    }
  }

  package func copied(bytes: UInt64, to target: String) {
    hasBegun.withLock { _ in shown.advance(bytes: bytes, files: 1) }
  }
}
