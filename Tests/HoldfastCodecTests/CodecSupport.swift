import HoldfastCodec

func compress(_ plain: [UInt8], with compressor: Compressor) throws -> (codec: FrameCodec, stored: [UInt8]) {
  var output = [UInt8](repeating: 0xee, count: plain.count)
  let (codec, count) = try plain.withUnsafeBytes { plain in
    try output.withUnsafeMutableBytes { try compressor.compress(plain, into: $0) }
  }
  return (codec, Array(output.prefix(count)))
}

/// Ends the test run when anything is written behind the plain bytes.
func decompress(
  _ stored: [UInt8], _ codec: FrameCodec, _ count: Int, with decompressor: Decompressor
) throws -> [UInt8] {
  let guardCount = 64
  var plain = [UInt8](repeating: 0xee, count: count + guardCount)
  defer { precondition(plain[count...].allSatisfy { $0 == 0xee }, "bytes were written behind the end") }
  try stored.withUnsafeBytes { stored in
    try plain.withUnsafeMutableBytes { plain in
      try decompressor.decompress(
        stored, codec: codec, into: UnsafeMutableRawBufferPointer(rebasing: plain[..<count]))
    }
  }
  return Array(plain.prefix(count))
}
