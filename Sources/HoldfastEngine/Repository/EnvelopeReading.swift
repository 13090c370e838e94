internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// Reads the envelopes of a source: many of them on all cores, because proving signatures is what takes the time.
struct EnvelopeReading {
  private let repository: Repository
  private let source: SourceName

  init(_ repository: Repository, _ source: SourceName) {
    self.repository = repository
    self.source = source
  }

  /// - Parameter sequences: in ascending order.
  /// - Returns: those that are committed; a damaged one stands as its error.
  func snapshots(_ sequences: [UInt64]) throws -> [Result<Snapshot, DamageError>] {
    try sequences.mapInParallel(workers: repository.host.workers, batch: 16) { [repository, source] sequence in
      do {
        return try repository.snapshotIfCommitted(source, sequence).map { .success($0) }
      } catch let error as DamageError {
        return .failure(error)
      }
    }.compactMap { $0 }
  }
}
