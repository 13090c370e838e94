package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// Reads the envelopes of a source: many of them on all cores, because proving signatures is what takes the time. Whatever they hold, that takes
/// no more memory than `HeldArchives` lets it.
final class EnvelopeReading: Sendable {
  /// To parse a long one takes a hundred times its length in the worst case.
  private static let longBytes: UInt64 = 256 << 10
  private let repository: Repository
  private let source: SourceName
  /// Of long ones one at a time.
  private let turn = Mutex(())

  init(_ repository: Repository, _ source: SourceName) {
    self.repository = repository
    self.source = source
  }

  /// - Parameter sequences: in ascending order.
  /// - Returns: those that are committed; a damaged one stands as its error.
  func snapshots(_ sequences: [UInt64]) throws -> [Result<Snapshot, DamageError>] {
    try sequences.mapInParallel(workers: repository.host.workers, batch: 16) { [self] sequence in
      do {
        guard let manifest = try repository.manifest(of: source, sequence) else { return nil }
        guard manifest.length > Self.longBytes else { return .success(try read(manifest, sequence)) }
        return try turn.withLock { _ in .success(try read(manifest, sequence)) }
      } catch let error as DamageError {
        return .failure(error)
      }
    }.compactMap { $0 }
  }

  private func read(_ manifest: any ReadableBytes, _ sequence: UInt64) throws -> Snapshot {
    let snapshot = try repository.snapshot(manifest, of: source, sequence)
    return try repository.held.hold(snapshot)
  }
}

/// How many archives this run holds of all the snapshots that it has listed. Beyond some MiB it knows only how many there are, and reads them again where they are needed.
package final class HeldArchives: Sendable {
  private let bytesMax: Int
  private let bytes = Mutex(0)

  package init(bytesMax: Int = 64 << 20) { self.bytesMax = bytesMax }

  /// - Returns: the snapshot as it may be held.
  /// - Throws: `DamageError` for one that is too large, and cannot be looked at alone.
  func hold(_ snapshot: Snapshot) throws -> Snapshot {
    let archives = snapshot.envelope.archives
    let isRoom = bytes.withLock { bytes in
      guard bytes + archives.byteCount <= bytesMax else { return false }
      bytes += archives.byteCount
      return true
    }
    guard !isRoom else { return snapshot }
    // What others consist of must be known before anything of it is removed.
    guard snapshot.hasItsArchivesToItself else {
      throw DamageError(
        Keys.manifest(snapshot.sourceName, snapshot.sequence),
        "it consists of what lies with others, and there are more of such snapshots than can be looked at together")
    }
    return snapshot.withoutArchives
  }
}

extension Snapshot {
  /// Whether all its archives lie in its own directory. So do those of all that are not held.
  package var hasItsArchivesToItself: Bool {
    !envelope.archives.isHeld || envelope.archives.allSatisfy { $0.sequence == sequence }
  }
}

extension Repository {
  /// A snapshot with its archives, which are read again where they are not held.
  package func whole(_ snapshot: Snapshot) throws -> Snapshot {
    guard !snapshot.envelope.archives.isHeld else { return snapshot }
    let key = Keys.manifest(snapshot.sourceName, snapshot.sequence)
    guard let again = try snapshotIfCommitted(snapshot.sourceName, snapshot.sequence) else {
      throw DamageError(key, "it is missing, and was there a moment ago")
    }
    guard again.digest == snapshot.digest else {
      throw DamageError(key, "it is another manifest than a moment ago")
    }
    return again
  }
}
