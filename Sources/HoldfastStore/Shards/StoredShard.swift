internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// One shard of an object, at one target. It is opened when it is first read.
final class StoredShard: Sendable {
  private enum State {
    case unopened
    case opened(any ReadableBytes)
    case failed(any Error)
  }

  let key: ShardKey
  let target: String
  private let name: ShardObjectName
  private let layout: ShardLayout
  private let store: any Store
  private let shardSet: ShardSet
  private let state = Mutex(State.unopened)
  private let table = Mutex<[UInt32]?>(nil)
  /// True if bytes of it were found to be wrong: it is used only if others are not enough.
  private let doubtful = Atomic(false)
  private let told = Atomic(false)
  private let latest = Mutex<(any Error)?>(nil)

  init(_ key: ShardKey, _ layout: ShardLayout, at target: String, _ store: any Store, _ shardSet: ShardSet) throws {
    (self.key, self.layout, self.target, self.store, self.shardSet) = (key, layout, target, store, shardSet)
    name = try shardSet.name(of: key.object)
  }

  var position: Int { key.position }
  var isDoubtful: Bool { doubtful.load(ordering: .relaxed) }
  var isNear: Bool { store.capabilities.isNear }
  var isResting: Bool { shardSet.isResting(target) }

  /// The reason why nothing of it can be read; `nil` if that is not known.
  var failure: (any Error)? { state.withLock { if case .failed(let error) = $0 { error } else { nil } } }

  /// The error of the latest read that failed; `nil` if none did.
  var latestFailure: (any Error)? { latest.withLock { $0 } }

  func expect(_ ranges: [Range<UInt64>]) { (try? object())?.expect(ranges) }

  /// Reads bytes without checking them.
  /// - Parameter parts: with offsets in the shard.
  func read(_ parts: [ReadPart]) throws { try noting { try object().read(parts) } }

  /// Reads bytes of one unit, all of which is compared with its checksum.
  func readChecked(_ piece: ShardLayout.Piece, into buffer: UnsafeMutableRawBufferPointer) throws {
    try noting {
      let table = try checkedTable()
      let count = Int(layout.unitLength(position, piece.stripe))
      try shardSet.withBuffer(count) { unit in
        try object().read(
          into: UnsafeMutableRawBufferPointer(rebasing: unit.bytes[..<count]), at: piece.stripe * ShardLayout.unitBytes)
        guard table.indices.contains(Int(piece.stripe)), CRC32.checksum(unit.used) == table[Int(piece.stripe)] else {
          throw wrong("the checksum of unit \(piece.stripe) is another one")
        }
        let start = Int(piece.offset)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: unit.bytes[start..<start + buffer.count]))
      }
    }
  }

  /// Tells once that the shard was no help, and that others were.
  func tell(_ failure: any Error) {
    guard !told.exchange(true, ordering: .relaxed) else { return }
    shardSet.onBadAnswer(target, key.description, failure)
  }

  /// Checks table and trailer.
  func checkEnd() throws { try noting { _ = try checkedTable() } }

  private func checkedTable() throws -> [UInt32] {
    if let known = table.withLock({ $0 }) { return known }
    let found = try ShardEnd(of: object(), key, shardSet.name(of: key.object))
    guard found.layout.length == layout.length else {
      throw StoreError.otherLength(
        key: key.object, location: store.location, found: found.layout.length, expected: layout.length)
    }
    table.withLock { $0 = found.table }
    return found.table
  }

  private func wrong(_ finding: String) -> StoreError { .unreadable(key: key.description, reason: finding) }

  private func noting<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let signal as Interrupted {
      throw signal
    } catch {
      if error.isDamage { doubtful.store(true, ordering: .relaxed) }
      if error.isTransient { shardSet.rest(target) }
      latest.withLock { $0 = error }
      throw error
    }
  }

  private func object() throws -> any ReadableBytes {
    switch state.withLock({ $0 }) {
    case .opened(let object): return object
    case .failed(let error): throw error
    case .unopened:
      do {
        // Two threads may open it at once, which does no harm.
        let object = try store.open(key.description, length: layout.shardLength(position))
        state.withLock { $0 = .opened(object) }
        return object
      } catch {
        state.withLock { $0 = .failed(error) }
        throw error
      }
    }
  }
}

/// The table and the trailer of a shard, checked against its key.
struct ShardEnd {
  /// Longer tables are not read into memory: those of shards of 16 TiB have as many bytes.
  private static let tableLengthMax: UInt64 = 64 << 20

  let layout: ShardLayout
  let table: [UInt32]

  /// - Parameter object: the bytes of the shard.
  /// - Throws: `StoreError.unreadable` if it is another shard than its key says, or none.
  init(of object: any ReadableBytes, _ key: ShardKey, _ name: ShardObjectName) throws {
    func check(_ isSound: Bool, _ finding: String) throws {
      guard isSound else { throw StoreError.unreadable(key: key.description, reason: finding) }
    }
    let count = UInt64(ShardTrailer.byteCount)
    try check(object.length >= count, "it is too short for a shard")
    let last = try Self.read(object, from: object.length - count)
    guard let described = ShardTrailer.described(in: last) else {
      throw StoreError.unreadable(key: key.description, reason: "it does not end as a shard")
    }
    try check(
      described.repository == name.repository && described.object == name.id
        && described.layout.scheme == key.scheme && described.position == key.position,
      "it is another shard: \(described.layout.scheme), position \(described.position) of \(described.object.short)")
    try check(
      object.length == described.layout.shardLength(key.position),
      "it has \(object.length) bytes instead of \(described.layout.shardLength(key.position))")
    let tableLength = described.layout.tableLength(key.position)
    try check(tableLength <= Self.tableLengthMax, "its table has \(tableLength) bytes, more than any shard's")
    let start = object.length - count - tableLength
    guard let (_, table) = ShardTrailer.parse(try Self.read(object, from: start)) else {
      throw StoreError.unreadable(key: key.description, reason: "its trailer does not have its digest")
    }
    (layout, self.table) = (described.layout, table)
  }

  private static func read(_ object: any ReadableBytes, from offset: UInt64) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(object.length - offset))
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: offset) }
    return bytes
  }
}
