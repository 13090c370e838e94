/// The figures of a snapshot's changes in which anomalies are found. Shares are from 0 to 1.
package struct ChangeFigures: Hashable, Sendable {
  package var kind: SnapshotKind
  /// Entries of the state that the snapshot is compared with: its parent's; for a full, that of the newest earlier
  /// snapshot.
  package var entriesBefore: UInt64
  package var bytesBefore: UInt64
  package var entries: UInt64
  package var bytes: UInt64
  /// The number of entries that are gone. A full lists no removed entries: for it this is how many fewer entries there
  /// are.
  package var removed: UInt64
  /// Bytes of the captured pages; `storedBytes` is their size in the repository.
  package var capturedBytes: UInt64
  package var storedBytes: UInt64
  /// Number of samples of the captured bytes; `denseSamples` of them look encrypted or compressed.
  package var samples: UInt64
  package var denseSamples: UInt64

  package init(
    kind: SnapshotKind, entriesBefore: UInt64, bytesBefore: UInt64, entries: UInt64, bytes: UInt64, removed: UInt64,
    capturedBytes: UInt64, storedBytes: UInt64, samples: UInt64, denseSamples: UInt64
  ) {
    (self.kind, self.removed) = (kind, removed)
    (self.entriesBefore, self.bytesBefore) = (entriesBefore, bytesBefore)
    (self.entries, self.bytes) = (entries, bytes)
    (self.capturedBytes, self.storedBytes) = (capturedBytes, storedBytes)
    (self.samples, self.denseSamples) = (samples, denseSamples)
  }

  private static func share(_ part: UInt64, of whole: UInt64) -> Double {
    whole == 0 ? 0 : min(1, Double(part) / Double(whole))
  }

  /// The share of the earlier entries that are gone.
  package var removedShare: Double { Self.share(removed, of: entriesBefore) }

  /// The share of its bytes that the source has lost.
  package var shrunkShare: Double { Self.share(bytesBefore > bytes ? bytesBefore - bytes : 0, of: bytesBefore) }

  /// The share of the captured bytes that looks encrypted.
  package var density: Double { Self.share(denseSamples, of: samples) }

  /// The share of the source that was replaced by bytes that look encrypted. Files that were only added do not count.
  package var denseShare: Double {
    let growth = bytes > bytesBefore ? bytes - bytesBefore : 0
    let replaced = capturedBytes > growth ? capturedBytes - growth : 0
    return Self.share(replaced, of: max(bytes, bytesBefore)) * density
  }

  /// Stored bytes for each captured byte.
  package var storedShare: Double { Self.share(storedBytes, of: capturedBytes) }
}
