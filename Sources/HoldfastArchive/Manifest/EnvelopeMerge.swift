package import HoldfastModel
package import HoldfastSystem

extension Envelope {
  /// The snapshot that a merged snapshot stands for, and the time of the merge.
  package struct Merge: Hashable, Sendable, Codable {
    package var snapshot: Identifier
    package var sequence: UInt64
    /// The digest of that snapshot's manifest.
    package var digest: Digest
    package var time: RecordedTime

    package init(snapshot: Identifier, sequence: UInt64, digest: Digest, time: RecordedTime) {
      self.snapshot = snapshot
      self.sequence = sequence
      self.digest = digest
      self.time = time
    }
  }

  /// False if it says of its merge what cannot be. An increment that was merged builds on what is older than the
  /// snapshot that it stands for.
  var isMergeSound: Bool {
    guard (merged != nil && kind != .full) == features.contains(Feature.mergedIncrement) else { return false }
    guard let merged else { return true }
    return kind != .differential && (1..<sequence).contains(merged.sequence) && merged.time.isSound
      && parent.map { $0.sequence < merged.sequence } ?? true
  }
}
