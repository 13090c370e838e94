internal import CISAL
internal import CZstd

/// Decompresses frames one after the other, with memory that is allocated once. For one thread at a time. The input may
/// be hostile: nothing is written beyond the output, and everything but exactly one whole stream of the expected length
/// is an error.
package final class Decompressor {
  private let inflater = UnsafeMutablePointer<inflate_state>.allocate(capacity: 1)
  private var zstdContext: OpaquePointer?

  package init() {}

  deinit {
    inflater.deallocate()
    if let zstdContext { ZSTD_freeDCtx(zstdContext) }
  }

  /// Fills exactly `plain`.
  /// - Parameter prefixCount: the number of bytes that are needed from the beginning; all by default. A codec that can
  ///   stop after them does.
  /// - Throws: `CodecError` when the part of `stored` that was decoded is not from a stream of `plain.count` bytes.
  package func decompress(
    _ stored: UnsafeRawBufferPointer, codec: FrameCodec, into plain: UnsafeMutableRawBufferPointer,
    prefixCount: Int? = nil
  ) throws(CodecError) {
    switch codec {
    case .stored:
      guard stored.count == plain.count else { throw CodecError.damaged("a stored frame has another length") }
      plain.copyMemory(from: stored)
    case .zlib:
      if let prefixCount, prefixCount < plain.count {
        try inflateStart(of: stored, into: UnsafeMutableRawBufferPointer(rebasing: plain[..<prefixCount]))
      } else {
        try inflate(stored, into: plain)
      }
    case .zstd: try decompressZstd(stored, into: plain)
    }
  }

  private func inflate(_ stored: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer) throws(CodecError) {
    try inflateStart(of: stored, into: plain)
    // Whole bytes left in `read_in` were read from the input and belong to no stream.
    guard inflater.pointee.block_state == ISAL_BLOCK_FINISH, inflater.pointee.avail_in == 0,
      inflater.pointee.read_in_length < 8
    else { throw CodecError.damaged("a zlib stream ends too early or too late") }
  }

  /// Inflates until `plain` is full.
  private func inflateStart(
    of stored: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer
  ) throws(CodecError) {
    isal_inflate_init(inflater)
    inflater.pointee.crc_flag = UInt32(ISAL_ZLIB)
    inflater.pointee.next_in = UnsafeMutablePointer(mutating: stored.baseAddress?.assumingMemoryBound(to: UInt8.self))
    inflater.pointee.avail_in = UInt32(stored.count)
    inflater.pointee.next_out = plain.baseAddress?.assumingMemoryBound(to: UInt8.self)
    inflater.pointee.avail_out = UInt32(plain.count)
    let status = isal_inflate(inflater)
    guard status == ISAL_DECOMP_OK else { throw CodecError.damaged("zlib stream, code \(status)") }
    guard inflater.pointee.avail_out == 0 else { throw CodecError.damaged("a zlib stream ends too early") }
  }

  private func decompressZstd(
    _ stored: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer
  ) throws(CodecError) {
    let context = zstdContext ?? ZSTD_createDCtx()
    zstdContext = context
    guard let context else { throw CodecError.internalFailure("libzstd", code: 0) }
    // Without this check, libzstd would accept several frames in a row as one.
    guard ZSTD_findFrameCompressedSize(stored.baseAddress, stored.count) == stored.count else {
      throw CodecError.damaged("it is not exactly one Zstandard frame")
    }
    let count = ZSTD_decompressDCtx(context, plain.baseAddress, plain.count, stored.baseAddress, stored.count)
    guard ZSTD_isError(count) == 0, count == plain.count else { throw CodecError.damaged("Zstandard frame") }
  }
}
