package import HoldfastArchive
internal import HoldfastModel

/// The totals of all bodies of a chain.
package struct BodyTotals: Sendable {
  /// Bytes of records.
  private var plainBytes: UInt64 = 0
  private(set) var frames: UInt64 = 0

  /// Adds the body of the next snapshot of the chain.
  /// - Throws: `DamageError` when the bodies then have more frames than a chain may have.
  package func adding(_ body: ContainerReader, of snapshot: Snapshot) throws -> BodyTotals {
    var totals = self
    totals.plainBytes = plainBytes.saturatingAdding(body.frames.plainBytes)
    totals.frames = frames.saturatingAdding(UInt64(body.frames.count))
    let most = Limits.bodyFramesPerChainMax
    guard totals.frames <= UInt64(most) else {
      throw DamageError(
        Keys.manifest(snapshot.sourceName, snapshot.sequence), "the bodies of its chain have more than \(most) frames")
    }
    return totals
  }

  /// Checks the ratio of plain to stored bytes of a whole chain: small objects must not take up days and disks of a
  /// reader.
  package func checkRatio(of chain: Chain) throws {
    let stored = chain.bodyLength
    let most = stored.saturatingMultiplied(by: Limits.bodyRatioMax).saturatingAdding(Limits.bodyBytesFree)
    guard plainBytes <= most else {
      throw DamageError(
        Keys.manifest(chain.tip.sourceName, chain.tip.sequence),
        "the bodies of its chain would be \(Amount.bytes(plainBytes)) of records, and are stored in \(Amount.bytes(stored)): no backup writes that"
      )
    }
  }
}
