internal import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastRepository

/// A merge as `--json` shows it.
package struct MergeJSON: Encodable {
  /// The new snapshot; absent when nothing was committed.
  let snapshot: SnapshotJSON?
  let committed: Bool
  /// The snapshot that the new one stands for.
  let merged: SnapshotReferenceJSON
  /// The snapshot that the new one builds on; absent for a full.
  let onto: SnapshotReferenceJSON?
  let chain: [String]
  let readFrames: UInt64
  let readBytes: UInt64
  let carriedFrames: UInt64
  let carriedBytes: UInt64
  let compressedBytes: UInt64
  let expectedBytes: UInt64
  let seconds: TimeSpan
  /// Absent when the repository is in one place.
  let targets: [TargetCopyJSON]?

  package init(_ report: Merge.Report, targets: [TargetCopyJSON]? = nil) {
    self.targets = targets
    snapshot = report.envelope.map { SnapshotJSON($0) }
    committed = report.envelope != nil
    merged = SnapshotReferenceJSON(report.chain.tip)
    onto = report.parent.map { SnapshotReferenceJSON($0) }
    chain = report.chain.snapshots.map(\.id.description)
    readFrames = report.plan?.frames ?? 0
    readBytes = report.plan?.readBytes ?? 0
    carriedFrames = report.plan?.carriedFrames ?? 0
    carriedBytes = report.plan?.carriedBytes ?? 0
    compressedBytes = report.plan?.compressedBytes ?? 0
    expectedBytes = report.plan?.expectedBytes ?? 0
    seconds = report.duration
  }
}
