internal import HoldfastModel
internal import HoldfastSystem

/// Pieces of one shard, and the place of their bytes.
struct PieceRead: @unchecked Sendable {
  // Sendable without a lock: one thread fills the buffer, and its owner waits for that.
  let piece: ShardLayout.Piece
  let buffer: UnsafeMutableRawBufferPointer
}

/// One read of a shard that is given up when its target is slow, because other shards can take its place.
struct HedgedShard {
  let shard: StoredShard
  let shardSet: ShardSet
  /// True if all units that are read are compared with their checksums.
  let isChecked: Bool

  /// Reads pieces.
  /// - Parameter limit: the longest wait for a far target; `nil` if no other shard can take its place.
  /// - Returns: false if it has not answered by then. It is asked after the others for a while.
  func read(_ reads: [PieceRead], within limit: TimeSpan?) throws -> Bool {
    guard !shard.isNear else {
      try fetch(reads)
      return true
    }
    guard let limit else {
      try timed { try fetch(reads) }
      return true
    }
    return try readSoon(reads, limit)
  }

  /// Reads on another thread, into buffers of its own: if it is late, nobody waits for it.
  private func readSoon(_ reads: [PieceRead], _ limit: TimeSpan) throws -> Bool {
    let answer = Monitor<Result<[Buffer], any Error>?>(nil)
    let pieces = reads.map { (piece: $0.piece, count: $0.buffer.count) }
    let work: @Sendable () -> Void = { [self] in
      let buffers = pieces.map { Buffer(capacity: max($0.count, 1)) }
      let own = zip(pieces, buffers).map { piece, buffer in
        PieceRead(piece: piece.piece, buffer: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<piece.count]))
      }
      let outcome = Result {
        try timed { try fetch(own) }
        return buffers
      }
      answer.withLock { $0 = outcome }
    }
    if !WorkerThread.detach(work) { work() }
    guard let outcome = answer.wait(limit, until: { $0 }) else {
      shardSet.noteLate(shard.target)
      return false
    }
    for (read, buffer) in zip(reads, try outcome.get()) {
      read.buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer.bytes[..<read.buffer.count]))
    }
    return true
  }

  private func timed(_ body: () throws -> Void) throws {
    let began = shardSet.clock.uptime()
    try body()
    shardSet.noteAnswer(shard.target, after: shardSet.clock.uptime() - began)
  }

  private func fetch(_ reads: [PieceRead]) throws {
    if isChecked {
      for read in reads { try shard.readChecked(read.piece, into: read.buffer) }
    } else {
      try shard.read(reads.map { ReadPart(at: $0.piece.shardOffset, into: $0.buffer) })
    }
  }
}
