internal import CFuse
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// The descriptor over which the kernel sends its requests and gets the replies. Several threads may use it.
final class FuseConnection: Sendable {
  /// A request is never longer: nobody can write, and names and attributes have limits.
  static let requestBytesMax = 128 << 10
  /// The longest wait for a request, after which the thread looks whether it is to end.
  private static let waitMilliseconds: Int32 = 200
  private let descriptor: Int32
  /// One thread waits for a request, the others for their turn: the kernel would wake all of them for each request.
  private let turn = Mutex(())
  private let ending = Atomic(false)

  /// - Parameter descriptor: becomes the property of the connection.
  init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { holdfast_fuse_close(descriptor) }

  /// True until nothing is mounted any more and nobody uses it.
  var isConnected: Bool { holdfast_fuse_is_connected(descriptor) }

  /// Lets all threads that wait for requests end within some 200 ms.
  func end() { ending.store(true, ordering: .releasing) }

  /// Waits for the next request.
  /// - Returns: `nil` if none came for a while.
  /// - Throws: `SystemError`; `Unmounted` once nothing is mounted any more, or after `end`.
  func receive(into buffer: Buffer) throws -> FuseRequest? {
    let count = try turn.withLock { _ in
      if ending.load(ordering: .acquiring) { throw Unmounted() }
      return holdfast_fuse_receive(descriptor, buffer.bytes.baseAddress, buffer.capacity, Self.waitMilliseconds)
    }
    guard count >= 0 else {
      let code = Int32(truncatingIfNeeded: -count)
      throw code == Int32(holdfast_fuse_no_device) ? Unmounted() : SystemError("read", Path("/dev/fuse"), code: code)
    }
    buffer.count = count
    return count == 0 ? nil : FuseRequest(buffer.used)
  }

  /// Nobody may wait for the reply any more, so nothing is done about a failure.
  func reply(to request: FuseRequest, _ body: UnsafeRawBufferPointer) {
    send(request, error: 0, body)
  }

  func reply(to request: FuseRequest, _ refusal: Refusal) {
    send(request, error: -refusal.code, UnsafeRawBufferPointer(start: nil, count: 0))
  }

  private func send(_ request: FuseRequest, error: Int32, _ body: UnsafeRawBufferPointer) {
    let headerCount = MemoryLayout<fuse_out_header>.size
    var header = fuse_out_header(len: UInt32(headerCount + body.count), error: error, unique: request.header.unique)
    _ = holdfast_fuse_reply(descriptor, &header, headerCount, body.baseAddress, body.count)
  }

  /// There will be no more requests.
  struct Unmounted: Error {}
}

/// A request of the kernel. It is valid as long as the buffer from which it was made.
struct FuseRequest {
  let header: fuse_in_header
  private let body: UnsafeRawBufferPointer

  /// - Returns: `nil` if the bytes are no request.
  fileprivate init?(_ bytes: UnsafeRawBufferPointer) {
    let headerCount = MemoryLayout<fuse_in_header>.size
    guard bytes.count >= headerCount else { return nil }
    header = bytes.loadUnaligned(as: fuse_in_header.self)
    guard Int(header.len) == bytes.count else { return nil }
    body = UnsafeRawBufferPointer(rebasing: bytes[headerCount...])
  }

  var operation: fuse_opcode { fuse_opcode(rawValue: header.opcode) }
  /// The node that it is about.
  var node: UInt64 { header.nodeid }

  /// Returns the structure with which the body begins. Fields that an older kernel does not send are zero.
  func argument<Structure: BitwiseCopyable>(_ zero: Structure) -> Structure {
    var argument = zero
    withUnsafeMutableBytes(of: &argument) { target in
      target.copyMemory(from: UnsafeRawBufferPointer(rebasing: body[..<min(body.count, target.count)]))
    }
    return argument
  }

  /// Returns the text that follows `offset` bytes, without the zero at its end.
  func text(after offset: Int = 0) -> [UInt8] { Array(body.dropFirst(offset).prefix { $0 != 0 }) }
}
