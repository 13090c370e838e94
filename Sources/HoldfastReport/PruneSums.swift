internal import HoldfastEngine
internal import HoldfastModel

/// The number and the bytes of snapshots for each action.
struct PruneSums {
  var kept = (count: 0, bytes: UInt64(0))
  var removed = (count: 0, bytes: UInt64(0))
  var waiting = (count: 0, bytes: UInt64(0))
  var locked = (count: 0, bytes: UInt64(0))
  var collected = (count: 0, bytes: UInt64(0))
  var logBytes: UInt64 = 0

  /// The bytes of snapshots that are removed and not collected yet.
  var laterBytes: UInt64 { removed.bytes &+ waiting.bytes &+ locked.bytes }

  init(_ report: Prune.Report) {
    logBytes = report.sources.flatMap(\.logs).reduce(0) { $0 &+ $1.bytes }
    for line in report.sources.flatMap(\.lines) {
      switch line.action {
      case .kept: kept = (kept.count + 1, kept.bytes &+ line.bytes)
      case .removed: removed = (removed.count + 1, removed.bytes &+ line.bytes)
      case .waiting, .held: waiting = (waiting.count + 1, waiting.bytes &+ line.bytes)
      case .locked: locked = (locked.count + 1, locked.bytes &+ line.bytes)
      case .collected: collected = (collected.count + 1, collected.bytes &+ line.bytes)
      }
    }
  }
}
