/// The kind of a snapshot: the snapshot that its changes are relative to.
package enum SnapshotKind: String, Codable, CaseIterable, Sendable {
  /// Relative to nothing: the start of a chain.
  case full
  /// Relative to the full of its chain.
  case differential
  /// Relative to the newest snapshot of its chain, of any kind.
  case incremental
}
