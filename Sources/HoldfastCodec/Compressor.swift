internal import CISAL
internal import CZlib
internal import CZstd

/// Compresses frames one after the other, with memory that is allocated once. For one thread at a time.
package final class Compressor {
  private enum Backend {
    case isal(ISALDeflater)
    case zlib(ZlibDeflater)
    case zstd(OpaquePointer, level: Int)
  }

  /// `nil` stores everything.
  private let backend: Backend?
  private let savesLittle: Bool

  /// - Parameter savesLittle: true to try every frame, and to keep also what saves a single byte: that gives the bytes
  ///   of every compressed frame, also of one from a version that knew no `Compressibility`.
  package init(_ compression: Compression, savesLittle: Bool = false) throws {
    self.savesLittle = savesLittle
    backend =
      switch compression {
      case .none: nil
      case .deflate(nil): .isal(ISALDeflater())
      case .deflate(.some(let level)): .zlib(try ZlibDeflater(level: level))
      case .zstd(let level): .zstd(try Self.makeZstdContext(), level: level)
      }
  }

  deinit {
    if case .zstd(let context, _) = backend { ZSTD_freeCCtx(context) }
  }

  /// Compresses `plain` into `output`, which must have room for `plain`. Bytes of which hardly any would be saved are
  /// stored uncompressed, unless it `savesLittle`.
  package func compress(
    _ plain: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws -> (codec: FrameCodec, count: Int) {
    precondition(output.count >= plain.count, "the output has room for the plain bytes")
    if let compressed = try compressed(plain, into: output) { return compressed }
    output.copyMemory(from: plain)
    return (.stored, plain.count)
  }

  /// `nil` where too little would be saved.
  private func compressed(
    _ plain: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws -> (codec: FrameCodec, count: Int)? {
    guard let backend, !plain.isEmpty,
      savesLittle || plain.count < Compressibility.frameBytesMin || Compressibility.isLikely(plain)
    else { return nil }
    let roomCount = plain.count - (savesLittle ? 1 : max(1, plain.count / Compressibility.savedPart))
    let room = UnsafeMutableRawBufferPointer(rebasing: output[..<roomCount])
    switch backend {
    case .isal(let deflater): return try deflater.deflate(plain, into: room).map { (.zlib, $0) }
    case .zlib(let deflater): return try deflater.deflate(plain, into: room).map { (.zlib, $0) }
    case .zstd(let context, let level):
      let count = ZSTD_compressCCtx(context, room.baseAddress, room.count, plain.baseAddress, plain.count, Int32(level))
      return ZSTD_isError(count) == 0 ? (.zstd, count) : nil
    }
  }

  private static func makeZstdContext() throws -> OpaquePointer {
    guard let context = ZSTD_createCCtx() else { throw CodecError.internalFailure("libzstd", code: 0) }
    return context
  }
}

/// ISA-L's igzip at level 1, as a zlib stream.
private final class ISALDeflater {
  private let levelBuffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: Int(holdfast_isal_level1_buffer_length), alignment: 64)
  private let stream = UnsafeMutablePointer<isal_zstream>.allocate(capacity: 1)

  deinit {
    levelBuffer.deallocate()
    stream.deallocate()
  }

  /// `nil` when the result does not fit into `output`.
  func deflate(_ plain: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws -> Int? {
    isal_deflate_init(stream)
    stream.pointee.level = 1
    stream.pointee.level_buf = levelBuffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.level_buf_size = UInt32(levelBuffer.count)
    stream.pointee.gzip_flag = UInt16(IGZIP_ZLIB)
    stream.pointee.end_of_stream = 1
    stream.pointee.next_in = UnsafeMutablePointer(mutating: plain.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.pointee.avail_in = UInt32(plain.count)
    stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = UInt32(output.count)
    let status = isal_deflate(stream)
    guard status == COMP_OK else { throw CodecError.internalFailure("ISA-L", code: Int(status)) }
    guard stream.pointee.internal_state.state == ZSTATE_END else { return nil }
    return output.count - Int(stream.pointee.avail_out)
  }
}

/// libz, for smaller archives at the price of time.
private final class ZlibDeflater {
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

  init(level: Int) throws {
    stream.initialize(to: z_stream())
    let status = holdfast_deflate_init(stream, Int32(level))
    guard status == Z_OK else { throw CodecError.internalFailure("libz", code: Int(status)) }
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// `nil` when the result does not fit into `output`.
  func deflate(_ plain: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws -> Int? {
    deflateReset(stream)
    stream.pointee.next_in = UnsafeMutablePointer(mutating: plain.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.pointee.avail_in = UInt32(plain.count)
    stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = UInt32(output.count)
    let status = CZlib.deflate(stream, Z_FINISH)
    switch status {
    case Z_STREAM_END: return output.count - Int(stream.pointee.avail_out)
    case Z_OK, Z_BUF_ERROR: return nil
    default: throw CodecError.internalFailure("libz", code: Int(status))
    }
  }
}
