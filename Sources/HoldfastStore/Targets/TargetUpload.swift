internal import HoldfastSystem

/// An object that is sent to home, and to each other target that is in step. It exists when it is committed at home;
/// the others commit it after that.
///
/// It takes no parts: home and each target divide the bytes into the parts that their stores take.
final class TargetUpload: ObjectUpload, @unchecked Sendable {
  // Sendable without a lock: an upload without parts gets its bytes in order, from one thread at a time.
  private let key: String
  private let home: ObjectWriter
  private let fanOut: TargetFanOut
  /// The objects at the other targets.
  private let sendings: [Sending]
  /// Waits for what must be at other targets before the object is.
  private let beforeCommit: () throws -> Void
  /// True if bytes are held for the other targets.
  private var isHolding: Bool
  private var filling: HeldBlock?
  private var count: UInt64 = 0
  private var isEnded = false

  init(
    _ key: String, home: ObjectWriter, _ sendings: [Sending], _ fanOut: TargetFanOut,
    beforeCommit: @escaping () throws -> Void
  ) {
    self.beforeCommit = beforeCommit
    (self.key, self.home, self.sendings, self.fanOut) = (key, home, sendings, fanOut)
    isHolding = !sendings.isEmpty
  }

  deinit { abort() }

  var partBytes: Int? { nil }

  /// Sends bytes. Bytes that are sent again were taken before, and count once.
  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    guard offset <= count else { throw StoreError.endOfObject(key) }
    let known = Int(clamping: count - offset)
    guard known < bytes.count else { return }
    let fresh = UnsafeRawBufferPointer(rebasing: bytes[known...])
    try hold(fresh)
    try home.append(fresh)
    count += UInt64(fresh.count)
  }

  private func hold(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while !rest.isEmpty, isHolding {
      if filling == nil {
        filling = try fanOut.block(for: sendings)
        isHolding = filling != nil && fanOut.takesAny(sendings)
      }
      guard let block = filling else { return }
      let taken = min(rest.count, block.buffer.capacity - block.buffer.count)
      block.buffer.append(UnsafeRawBufferPointer(rebasing: rest[..<taken]))
      rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
      if block.buffer.count == block.buffer.capacity { passOn() }
    }
  }

  private func passOn() {
    guard let block = filling else { return }
    filling = nil
    fanOut.append(block, to: sendings)
  }

  func commit() throws {
    guard !isEnded else { return }
    passOn()
    try beforeCommit()
    try home.commit()
    isEnded = true
    fanOut.commit(sendings, of: key)
  }

  func abort() {
    guard !isEnded else { return }
    isEnded = true
    home.abort()
    if let block = filling { fanOut.giveBack(block) }
    filling = nil
    fanOut.abort(sendings)
  }
}
