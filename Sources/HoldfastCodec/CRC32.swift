internal import CISAL

/// The CRC-32 of zlib and gzip. It finds which part of something is damaged, before a digest proves the whole.
package enum CRC32 {
  package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    crc32_gzip_refl(0, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, UInt64(bytes.count))
  }
}
