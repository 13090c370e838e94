/// What a snapshot changed, in the numbers that tell whether something is wrong with its source. Shares are from 0 to 1.
package struct ChangeFigures: Hashable, Sendable {
  package var kind: SnapshotKind
  /// Of the state with which it is compared: its parent's, for a full that of the newest snapshot before it.
  package var entriesBefore: UInt64
  package var bytesBefore: UInt64
  package var entries: UInt64
  package var bytes: UInt64
  /// Entries that are gone since; of a full, which names none, by how many there are fewer.
  package var removed: UInt64
  /// Bytes of pages that were captured, and what they take in the repository.
  package var capturedBytes: UInt64
  package var storedBytes: UInt64
  /// How many stretches of the captured bytes were looked at, and how many of them look encrypted or compressed.
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

  /// How many of the entries that there were are gone.
  package var removedShare: Double { Self.share(removed, of: entriesBefore) }

  /// By how much the source has become smaller.
  package var shrunkShare: Double { Self.share(bytesBefore > bytes ? bytesBefore - bytes : 0, of: bytesBefore) }

  /// How much of what was captured looks encrypted.
  package var density: Double { Self.share(denseSamples, of: samples) }

  /// How much of the source was replaced by something that looks encrypted. What only came in addition replaces nothing.
  package var denseShare: Double {
    let growth = bytes > bytesBefore ? bytes - bytesBefore : 0
    let replaced = capturedBytes > growth ? capturedBytes - growth : 0
    return Self.share(replaced, of: max(bytes, bytesBefore)) * density
  }

  /// What a captured byte takes in the repository.
  package var storedShare: Double { Self.share(storedBytes, of: capturedBytes) }
}
