internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// Reads the envelopes of a source: many of them on all cores, because proving signatures is what takes the time.
struct EnvelopeReading {
  /// So few are read before a thread is started.
  private static let batch = 32
  private let repository: Repository
  private let source: SourceName

  init(_ repository: Repository, _ source: SourceName) {
    self.repository = repository
    self.source = source
  }

  private final class Job {
    var sequences: ArraySlice<UInt64> = []
    var outcome: Result<[Result<Snapshot, DamageError>], any Error> = .success([])
  }

  /// - Parameter sequences: in ascending order.
  /// - Returns: those that are committed; a damaged one stands as its error.
  func snapshots(_ sequences: [UInt64]) throws -> [Result<Snapshot, DamageError>] {
    guard sequences.count > 2 * Self.batch else { return try read(sequences[...]) }
    var snapshots: [Result<Snapshot, DamageError>] = []
    snapshots.reserveCapacity(sequences.count)
    let workers = repository.host.workers
    let pool = OrderedPool(workers: workers, capacity: 4 * workers) {
      Job()
    } perform: { job in
      job.outcome = Result { try read(job.sequences) }
    }
    defer { pool.stop() }
    pool.consume = { snapshots += try $0.outcome.get() }
    for start in stride(from: 0, to: sequences.count, by: Self.batch) {
      try pool.next().sequences = sequences[start..<min(start + Self.batch, sequences.count)]
      try pool.submit()
    }
    try pool.drain()
    return snapshots
  }

  private func read(_ sequences: ArraySlice<UInt64>) throws -> [Result<Snapshot, DamageError>] {
    try sequences.compactMap { sequence in
      do {
        return try repository.snapshotIfCommitted(source, sequence).map { .success($0) }
      } catch let error as DamageError {
        return .failure(error)
      }
    }
  }
}
