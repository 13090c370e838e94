internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// An object that is read from its shards: each range from the shard that has it, and rebuilt from any others where
/// that one fails.
final class ShardObject: ReadableBytes {
  /// The choices of shards.
  struct Choice: Sendable {
    /// The position of a shard that is never replaced, so that what is read proves it; `nil` for none.
    var forced: Int?
    /// The positions of shards that are used only if others are not enough.
    var avoided: Set<Int> = []
    /// The positions of shards that are not used at all.
    var excluded: Set<Int> = []
    /// True if all units that are read are compared with their checksums.
    var isChecked = false
  }

  /// The most choices of shards to leave out that are tried, one after the other, for bytes that are wrong although
  /// their checksums are right.
  private static let choicesMax = 1000

  let name: String
  private let layout: ShardLayout
  private let shardSet: ShardSet
  /// The shards, by position; `nil` where the target cannot be reached.
  private let shards: [StoredShard?]
  private let choice: Choice
  /// Finds the object where it is not in these shards.
  private let elsewhere: ShardFallback?

  init(
    _ key: String, _ layout: ShardLayout, _ shards: [StoredShard?], _ shardSet: ShardSet, _ choice: Choice = Choice(),
    elsewhere: ShardFallback? = nil
  ) {
    (name, self.layout, self.shards, self.shardSet) = (key, layout, shards, shardSet)
    (self.choice, self.elsewhere) = (choice, elsewhere)
  }

  var length: UInt64 { layout.length }

  // MARK: Reading

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try read([ReadPart(at: offset, into: buffer)])
  }

  func read(_ parts: [ReadPart]) throws {
    for part in parts {
      guard part.offset <= length, UInt64(part.buffer.count) <= length - part.offset else {
        throw StoreError.endOfObject(name)
      }
    }
    if let other = elsewhere?.found { return try other.read(parts) }
    do {
      try readShards(parts)
    } catch let error as TooFewShards {
      // A choice that leaves out shards proves nothing about where the object is.
      guard let elsewhere else { throw error.cause }
      try elsewhere.find(after: error.cause).read(parts)
    }
  }

  private func readShards(_ parts: [ReadPart]) throws {
    var work: [Int: [PieceRead]] = [:]
    for part in parts {
      var start = 0
      for piece in layout.pieces(part.offset..<part.offset + UInt64(part.buffer.count)) {
        let bytes = UnsafeMutableRawBufferPointer(rebasing: part.buffer[start..<start + piece.count])
        work[piece.position, default: []].append(PieceRead(piece: piece, buffer: bytes))
        start += piece.count
      }
    }
    let reads = work.sorted { $0.key < $1.key }.map(\.value)
    let lost = Mutex<[(read: PieceRead, failure: (any Error)?)]>([])
    try sideBySide(reads.count) { index in
      let failure = try self.readInPlace(reads[index])
      guard let failure else { return }
      lost.withLock { $0 += reads[index].map { ($0, failure.error) } }
    }
    for (read, failure) in lost.withLock({ $0 }) {
      try rebuildOrCheck(read)
      if let failure { shards[read.piece.position]?.tell(failure) }
    }
  }

  /// Rebuilds a piece. If it cannot be rebuilt with the shard that must take part, because too many others are wrong,
  /// then that shard is only compared with its checksums, and the piece is made of any shards.
  private func rebuildOrCheck(_ lost: PieceRead) throws {
    do {
      try rebuild(lost)
    } catch let error as TooFewShards {
      guard choice.isChecked, replaced != nil, let shard = choice.forced.flatMap({ shards[$0] }) else { throw error }
      try shard.readChecked(lost.piece, into: lost.buffer)
      let any = with(Choice(isChecked: true))
      if try any.readInPlace([lost]) != nil { try any.rebuild(lost) }
    }
  }

  /// The reason why pieces must be rebuilt; the error is `nil` if their shard was not asked.
  private struct Failure { let error: (any Error)? }

  /// Reads pieces of one shard.
  /// - Returns: `nil` if they were read.
  private func readInPlace(_ reads: [PieceRead]) throws -> Failure? {
    guard let position = reads.first?.piece.position else { return nil }
    if position == choice.forced {
      try fetch(reads, position)
      return nil
    }
    guard position != replaced, isPreferred(position) else { return Failure(error: nil) }
    do {
      try fetch(reads, position)
      return nil
    } catch let signal as Interrupted {
      throw signal
    } catch {
      return Failure(error: error)
    }
  }

  /// The shard of data in place of which a shard of parity that must take part is used: the first, because its units
  /// have all offsets that those of parity have.
  private var replaced: Int? { choice.forced.flatMap { $0 < layout.scheme.data ? nil : 0 } }

  private func fetch(_ reads: [PieceRead], _ position: Int) throws {
    guard let shard = shards[position] else { throw StoreError.notFound(key: name, location: shardSet.home.name) }
    if choice.isChecked, position != choice.forced {
      for read in reads { try shard.readChecked(read.piece, into: read.buffer) }
    } else {
      try shard.read(reads.map { ReadPart(at: $0.piece.shardOffset, into: $0.buffer) })
    }
  }

  // MARK: Rebuilding

  private func isUsable(_ position: Int) -> Bool {
    guard let shard = shards[position] else { return false }
    return !choice.excluded.contains(position) && shard.failure == nil
  }

  private func isPreferred(_ position: Int) -> Bool {
    guard isUsable(position), let shard = shards[position] else { return false }
    return !choice.avoided.contains(position) && !shard.isDoubtful && !shard.isResting
  }

  /// The shards from which a piece can be rebuilt, those that are asked first at the beginning.
  private func sources(of piece: ShardLayout.Piece) -> [Int] {
    let usable = shards.indices.filter { $0 != choice.forced && isUsable($0) }
    let preferred = usable.filter { $0 != piece.position && isPreferred($0) }
    let others = usable.filter { !preferred.contains($0) && $0 != piece.position }
    return (choice.forced.map { [$0] } ?? []) + preferred + others
  }

  private func rebuild(_ lost: PieceRead) throws {
    let (piece, needed) = (lost.piece, layout.scheme.data)
    let code = shardSet.code(of: layout.scheme)
    var left = sources(of: piece)[...]
    var found: [(number: Int, buffer: Buffer)] = []
    defer { for (_, buffer) in found { shardSet.giveBack(buffer) } }
    while found.count < needed {
      let asked = Array(left.prefix(needed - found.count))
      left = left.dropFirst(asked.count)
      guard !asked.isEmpty else { return try readAfterAll(lost) }
      let answers = Mutex<[(number: Int, buffer: Buffer)]>([])
      try sideBySide(asked.count) { index in
        guard let buffer = try self.source(asked[index], for: piece) else { return }
        answers.withLock { $0.append((asked[index], buffer)) }
      }
      found += answers.withLock { $0 }
    }
    guard let target = lost.buffer.writable else { return }
    try code.rebuild(
      [piece.position],
      from: found.compactMap { number, buffer in buffer.bytes.readable.map { (number, $0) } }, count: piece.count,
      into: [target])
  }

  /// Reads what a shard has in the range of a piece; what it lacks there is zeros.
  /// - Returns: `nil` if it failed.
  private func source(_ position: Int, for piece: ShardLayout.Piece) throws -> Buffer? {
    let buffer = shardSet.takeBuffer(piece.count)
    let count = layout.present(position, piece)
    let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
    UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[count..<piece.count]).initializeMemory(
      as: UInt8.self, repeating: 0)
    let own = ShardLayout.Piece(position: position, stripe: piece.stripe, offset: piece.offset, count: count)
    do {
      if count > 0 { try fetch([PieceRead(piece: own, buffer: bytes)], position) }
      return buffer
    } catch let signal as Interrupted {
      shardSet.giveBack(buffer)
      throw signal
    } catch  where position != choice.forced {
      shardSet.giveBack(buffer)
      return nil
    }
  }

  /// Reads a piece that cannot be rebuilt from the shard that has it, if that was only passed over.
  private func readAfterAll(_ lost: PieceRead) throws {
    let position = lost.piece.position
    guard position != replaced, isUsable(position) else { throw tooFew() }
    do {
      try fetch([lost], position)
    } catch let signal as Interrupted {
      throw signal
    } catch {
      throw tooFew()
    }
  }

  private func sideBySide(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let isNear = shards.allSatisfy { $0?.isNear ?? true }
    guard count > 1, !isNear else { return try (0..<count).forEach(body) }
    try SideBySide.run(count, threads: count, body)
  }

  private func tooFew() -> TooFewShards {
    let failures = shards.compactMap { shard in
      shard.flatMap { shard in shard.latestFailure.map { (shard.target, $0) } }
    }
    if let away = failures.first(where: { $0.1.isTransient }) { return TooFewShards(cause: away.1) }
    if choice.excluded.isEmpty, let absence = shardSet.absence() { return TooFewShards(cause: absence) }
    let isNowhere =
      failures.count == shards.count
      && failures.allSatisfy { if case StoreError.notFound = $0.1 { true } else { false } }
    let names = failures.map(\.0).joined(separator: ", ")
    return TooFewShards(
      cause: isNowhere
        ? StoreError.notFound(key: name, location: shardSet.home.store?.location ?? shardSet.home.name)
        : StoreError.unreadable(
          key: name,
          reason: "fewer than the \(layout.scheme.data) shards that it needs are sound"
            + (names.isEmpty ? "" : "; those at \(names) are not")))
  }

  func expect(_ ranges: [Range<UInt64>]) {
    let pieces = ranges.filter { $0.upperBound <= length }.flatMap { layout.pieces($0) }
    for (position, pieces) in Dictionary(grouping: pieces, by: \.position) where isPreferred(position) {
      shards[position]?.expect(pieces.map { $0.shardOffset..<$0.shardOffset + UInt64($0.count) })
    }
  }

  func isProof(of range: Range<UInt64>) -> Bool {
    guard let position = replaced ?? choice.forced else { return true }
    return range.upperBound <= length && layout.pieces(range).contains { $0.position == position }
  }

  // MARK: Other choices

  /// First the same shards, each unit compared with its checksum; then without some of them; then in other schemes, or
  /// whole, as long as it is there in these too.
  var copies: [any ReadableBytes] {
    if let other = elsewhere?.found { return other.copies }
    guard !choice.isChecked, choice.excluded.isEmpty else { return [] }
    var checked = choice
    checked.isChecked = true
    return [with(checked)] + leftOut().map { with($0) } + (elsewhere?.others ?? [])
  }

  private func with(_ choice: Choice) -> ShardObject { ShardObject(name, layout, shards, shardSet, choice) }

  private func leftOut() -> [Choice] {
    let others = shards.indices.filter { $0 != choice.forced && shards[$0] != nil }
    var sets: [[Int]] = [[]]
    var choices: [Choice] = []
    for _ in 0..<layout.scheme.parity where choices.count < Self.choicesMax {
      sets = sets.flatMap { known in others.filter { $0 > known.last ?? -1 }.map { known + [$0] } }
      choices += sets.map { left in
        var changed = choice
        changed.excluded = Set(left)
        return changed
      }
    }
    return Array(choices.prefix(Self.choicesMax))
  }
}

/// A piece, and the place of its bytes.
private struct PieceRead: @unchecked Sendable {
  // Sendable without a lock: one thread fills the buffer, and its owner waits for that.
  let piece: ShardLayout.Piece
  let buffer: UnsafeMutableRawBufferPointer
}

/// Thrown when fewer shards than needed can be read.
struct TooFewShards: Error {
  let cause: any Error
}

/// Finds an object that is not in shards of the set's scheme: while the scheme is changed, it is still in those of the
/// scheme before, or whole.
final class ShardFallback: Sendable {
  private let search: @Sendable (_ cause: any Error) throws -> any ReadableBytes
  private let searchOthers: @Sendable () -> [any ReadableBytes]
  private let object = Mutex<(any ReadableBytes)?>(nil)

  /// - Parameters:
  ///   - search: throws the error that it gets if the object is nowhere else.
  ///   - others: returns what is there in other forms than the set's scheme.
  init(
    _ search: @escaping @Sendable (_ cause: any Error) throws -> any ReadableBytes,
    others: @escaping @Sendable () -> [any ReadableBytes]
  ) {
    (self.search, searchOthers) = (search, others)
  }

  /// The object in all other forms; none if that cannot be found out.
  var others: [any ReadableBytes] { searchOthers() }

  var found: (any ReadableBytes)? { object.withLock { $0 } }

  func find(after cause: any Error) throws -> any ReadableBytes {
    if let found { return found }
    let other = try search(cause)
    object.withLock { $0 = other }
    return other
  }
}
