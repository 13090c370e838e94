package import HoldfastModel

internal import struct Crypto.SHA256

/// SHA-256, bit by bit.
package struct Hasher {
  private var state = SHA256()

  package init() {}

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    state.update(bufferPointer: bytes)
  }

  package mutating func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { state.update(bufferPointer: $0) }
  }

  package consuming func finish() -> Digest {
    guard let digest = Digest(bytes: Array(state.finalize())) else {
      preconditionFailure("SHA-256 has 32 bytes")
    }
    return digest
  }

  package static func digest(_ bytes: UnsafeRawBufferPointer) -> Digest {
    var hasher = Hasher()
    hasher.update(bytes)
    return hasher.finish()
  }

  package static func digest(_ bytes: [UInt8]) -> Digest {
    bytes.withUnsafeBytes { digest($0) }
  }
}

/// The digests of pages (format.md, section 6).
package enum PageHasher {
  /// Writes the digest of each page of `pages` to `digests`, 16 bytes a page; the last page may be short.
  package static func hash(
    _ pages: UnsafeRawBufferPointer, pageSize: Int, into digests: UnsafeMutableRawBufferPointer
  ) {
    var page = 0
    var offset = 0
    while offset < pages.count {
      let length = min(pageSize, pages.count - offset)
      let output = UnsafeMutableRawBufferPointer(
        rebasing: digests[page * PageDigest.byteCount..<(page + 1) * PageDigest.byteCount])
      hash(page: UnsafeRawBufferPointer(rebasing: pages[offset..<offset + length]), into: output)
      page += 1
      offset += length
    }
  }

  private static func hash(page: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) {
    if isZero(page) {
      output.initializeMemory(as: UInt8.self, repeating: 0)
      return
    }
    var state = SHA256()
    state.update(bufferPointer: page)
    state.finalize().withUnsafeBytes { output.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<output.count])) }
  }

  /// Whether all bytes are zero.
  package static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var offset = 0
    while offset + 8 <= bytes.count {
      if bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) != 0 { return false }
      offset += 8
    }
    while offset < bytes.count {
      if bytes[offset] != 0 { return false }
      offset += 1
    }
    return true
  }
}

/// The file digest of page digests that come in order (format.md, section 6): a page with data adds its digest, a whole stretch of pages of
/// zeros sixteen zero bytes and its length, so that holes cost nothing.
package struct PageDigestStream {
  private var hasher = Hasher()
  private var zeroCount: UInt64 = 0

  package init() {}

  /// - Parameter digests: 16 bytes a page; zeros for a page of zeros.
  package mutating func add(_ digests: [UInt8]) {
    digests.withUnsafeBytes { digests in
      var start = 0
      var page = 0
      while page < digests.count {
        let end = page + PageDigest.byteCount
        if PageHasher.isZero(UnsafeRawBufferPointer(rebasing: digests[page..<end])) {
          addData(UnsafeRawBufferPointer(rebasing: digests[start..<page]))
          zeroCount += 1
          start = end
        }
        page = end
      }
      addData(UnsafeRawBufferPointer(rebasing: digests[start...]))
    }
  }

  package mutating func addZeros(_ count: UInt64) { zeroCount += count }

  package func finish(size: UInt64, pageSize: UInt32) -> Digest {
    var last = self
    last.flushZeros()
    withUnsafeBytes(of: size.littleEndian) { last.hasher.update($0) }
    withUnsafeBytes(of: pageSize.littleEndian) { last.hasher.update($0) }
    return last.hasher.finish()
  }

  private mutating func addData(_ digests: UnsafeRawBufferPointer) {
    guard !digests.isEmpty else { return }
    flushZeros()
    hasher.update(digests)
  }

  private mutating func flushZeros() {
    guard zeroCount > 0 else { return }
    hasher.update([UInt8](repeating: 0, count: PageDigest.byteCount))
    withUnsafeBytes(of: zeroCount.littleEndian) { hasher.update($0) }
    zeroCount = 0
  }
}
