internal import HoldfastSystem

/// An object of which home gets its shard, and side by side each other target that is in step. It exists when home has
/// committed its shard; the others commit theirs after that.
final class SpreadUpload: ObjectUpload, @unchecked Sendable {
  // Sendable without a lock: an upload without parts gets its bytes in order, from one thread at a time.
  private let key: String
  private let homePosition: Int
  private let home: ObjectWriter
  private let fanOut: TargetFanOut
  private let encoder: ShardEncoder
  /// The shards at the other targets, by position.
  private let sendings: [Int: Sending]
  /// The blocks that are being filled, by position.
  private var filling: [Int: HeldBlock] = [:]
  private var count: UInt64 = 0
  /// The last bytes of each shard, when all were sent.
  private var ends: [[UInt8]]?
  private var isEnded = false

  init(
    _ key: String, homePosition: Int, home: ObjectWriter, _ sendings: [Int: Sending], _ encoder: ShardEncoder,
    _ fanOut: TargetFanOut
  ) {
    (self.key, self.homePosition, self.home) = (key, homePosition, home)
    (self.sendings, self.encoder, self.fanOut) = (sendings, encoder, fanOut)
  }

  deinit { abort() }

  var partBytes: Int? { nil }

  /// Sends bytes. Bytes that are sent again were taken before, and count once.
  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    guard offset <= count else { throw StoreError.endOfObject(key) }
    let known = Int(clamping: count - offset)
    guard known < bytes.count else { return }
    try encoder.append(UnsafeRawBufferPointer(rebasing: bytes[known...]), pass)
    count += UInt64(bytes.count - known)
  }

  private func pass(_ position: Int, _ bytes: UnsafeRawBufferPointer) throws {
    if position == homePosition { return try home.append(bytes) }
    guard let sending = sendings[position] else { return }
    var rest = bytes
    while !rest.isEmpty {
      guard let block = try filling[position] ?? fanOut.block(for: [sending]) else { return }
      filling[position] = block
      let taken = min(rest.count, block.buffer.capacity - block.buffer.count)
      block.buffer.append(UnsafeRawBufferPointer(rebasing: rest[..<taken]))
      rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
      if block.buffer.count == block.buffer.capacity { passOn(position) }
    }
  }

  private func passOn(_ position: Int) {
    guard let block = filling.removeValue(forKey: position), let sending = sendings[position] else { return }
    fanOut.append(block, to: [sending])
  }

  func commit() throws {
    guard !isEnded else { return }
    let ends = try ends ?? encoder.finish(pass)
    self.ends = ends
    for position in filling.keys.sorted() { passOn(position) }
    try home.commit()
    isEnded = true
    for (position, sending) in sendings { sending.end = ends[position] }
    fanOut.commit(Array(sendings.values), of: key)
  }

  func abort() {
    guard !isEnded else { return }
    isEnded = true
    home.abort()
    for block in filling.values { fanOut.giveBack(block) }
    filling = [:]
    fanOut.abort(Array(sendings.values))
  }
}
