package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// Reads the envelopes of a source. Many of them are read on all cores, because verifying signatures takes most of the
/// time. Memory is limited by `HeldArchives`.
final class EnvelopeReading: Sendable {
  /// Parsing a long envelope takes up to a hundred times its length.
  private static let longBytes: UInt64 = 256 << 10
  private static let prefetchedAtOnce = 1024
  private let catalog: Catalog
  private let source: SourceName
  /// Long envelopes are parsed one at a time.
  private let turn = Mutex(())

  init(_ catalog: Catalog, of source: SourceName) {
    self.catalog = catalog
    self.source = source
  }

  /// - Parameter sequences: in ascending order.
  /// - Returns: the committed snapshots, and the error for each damaged one.
  func snapshots(_ sequences: [UInt64]) throws -> [Result<Snapshot, DamageError>] {
    var snapshots: [Result<Snapshot, DamageError>] = []
    for start in stride(from: 0, to: sequences.count, by: Self.prefetchedAtOnce) {
      let some = Array(sequences[start..<min(start + Self.prefetchedAtOnce, sequences.count)])
      catalog.store.prefetch(some.map { (Keys.manifest(source, $0), nil) })
      snapshots += try read(some)
    }
    return snapshots
  }

  private func read(_ sequences: [UInt64]) throws -> [Result<Snapshot, DamageError>] {
    try sequences.mapInParallel(workers: catalog.host.workers, batch: 16) { [self] sequence in
      do {
        guard let manifest = try catalog.manifest(of: source, sequence) else { return nil }
        guard manifest.length > Self.longBytes else { return .success(try read(manifest, sequence)) }
        return try turn.withLock { _ in .success(try read(manifest, sequence)) }
      } catch let error as DamageError {
        return .failure(error)
      }
    }.compactMap { $0 }
  }

  private func read(_ manifest: any ReadableBytes, _ sequence: UInt64) throws -> Snapshot {
    let snapshot = try catalog.snapshot(manifest, of: source, sequence)
    return try catalog.held.hold(snapshot)
  }
}

/// Limits the memory for the archive lists of all snapshots that a run has listed. Beyond some MiB only the number of
/// archives is kept, and the list is read again when needed.
package final class HeldArchives: Sendable {
  private let bytesMax: Int
  private let bytes = Mutex(0)

  package init(bytesMax: Int = 64 << 20) { self.bytesMax = bytesMax }

  /// - Returns: the snapshot, with or without its archives.
  /// - Throws: `DamageError` for a list of shared archives for which there is no memory.
  package func hold(_ snapshot: Snapshot) throws -> Snapshot {
    let archives = snapshot.envelope.archives
    let isRoom = bytes.withLock { bytes in
      guard bytes + archives.byteCount <= bytesMax else { return false }
      bytes += archives.byteCount
      return true
    }
    guard !isRoom else { return snapshot }
    // Nobody may remove an archive that a merged one uses, so its list must stay in memory.
    guard snapshot.hasItsArchivesToItself else {
      throw DamageError(
        Keys.manifest(snapshot.sourceName, snapshot.sequence),
        "it consists of what lies with others, and there are more of such snapshots than can be looked at together")
    }
    return snapshot.withoutArchives
  }
}

extension Snapshot {
  /// True if all of its archives are in its own directory. This holds for all snapshots whose archives were dropped.
  package var hasItsArchivesToItself: Bool {
    !envelope.archives.isHeld || envelope.archives.allSatisfy { $0.sequence == sequence }
  }
}
