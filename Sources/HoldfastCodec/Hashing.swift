internal import CSHA256
package import HoldfastModel

internal import struct Crypto.SHA256

/// SHA-256 of bytes that come in parts.
package struct Hasher {
  private var state = SHA256()

  package init() {}

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    state.update(bufferPointer: bytes)
  }

  package mutating func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { state.update(bufferPointer: $0) }
  }

  /// The digest of the bytes so far; more may follow.
  package func snapshot() -> Digest {
    let copy = self
    return copy.finish()
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

  /// Returns the digests of messages. On a processor that supports it, two messages are digested together at little
  /// more than the time of one.
  package static func digests(_ messages: [UnsafeRawBufferPointer]) -> [Digest] {
    guard HashPair.isSupported else { return messages.map { digest($0) } }
    var digests: [Digest] = []
    for start in stride(from: 0, to: messages.count, by: 2) {
      if start + 1 == messages.count {
        digests.append(digest(messages[start]))
      } else {
        HashPair.digest(messages[start], messages[start + 1]) {
          for bytes in [$0, $1] {
            guard let digest = Digest(bytes: Array(bytes)) else { preconditionFailure("SHA-256 has 32 bytes") }
            digests.append(digest)
          }
        }
      }
    }
    return digests
  }
}

/// Digests two messages together.
private enum HashPair {
  static let isSupported = holdfast_sha256_pair_is_supported()

  /// Passes the digests of both to `body`.
  static func digest<Result>(
    _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer,
    _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Result
  ) -> Result {
    withUnsafeTemporaryAllocation(byteCount: 2 * Digest.byteCount, alignment: 16) { both in
      let (left, right) = (both[..<Digest.byteCount], both[Digest.byteCount...])
      let (leftRoom, rightRoom) = (
        UnsafeMutableRawBufferPointer(rebasing: left), UnsafeMutableRawBufferPointer(rebasing: right)
      )
      holdfast_sha256_pair(
        first.baseAddress, first.count, second.baseAddress, second.count, leftRoom.baseAddress, rightRoom.baseAddress)
      return body(UnsafeRawBufferPointer(leftRoom), UnsafeRawBufferPointer(rightRoom))
    }
  }
}

/// Computes the digests of pages (format.md, section 6).
package enum PageHasher {
  /// Writes the digest of each page of `pages` to `digests`, 16 bytes a page; the last page may be short. There must be
  /// room for all of them: that is checked in every build, for what is written behind the end is not.
  package static func hash(
    _ pages: UnsafeRawBufferPointer, pageSize: Int, into digests: UnsafeMutableRawBufferPointer
  ) {
    let pageCount = (pages.count + pageSize - 1) / pageSize
    precondition(digests.count / PageDigest.byteCount >= pageCount, "no room for the digests of all pages")
    /// A whole page that waits for a second one, to be digested together.
    var waiting: (offset: Int, page: Int)?
    for page in 0..<pageCount {
      let offset = page * pageSize
      let bytes = UnsafeRawBufferPointer(rebasing: pages[offset..<min(offset + pageSize, pages.count)])
      if isZero(bytes) {
        output(page, of: digests).initializeMemory(as: UInt8.self, repeating: 0)
      } else if !HashPair.isSupported || bytes.count < pageSize {
        hash(bytes, into: output(page, of: digests))
      } else if let first = waiting {
        let other = UnsafeRawBufferPointer(rebasing: pages[first.offset..<first.offset + pageSize])
        hashPair(other, bytes, into: output(first.page, of: digests), output(page, of: digests))
        waiting = nil
      } else {
        waiting = (offset, page)
      }
    }
    guard let last = waiting else { return }
    let bytes = UnsafeRawBufferPointer(rebasing: pages[last.offset..<last.offset + pageSize])
    hash(bytes, into: output(last.page, of: digests))
  }

  private static func output(_ page: Int, of digests: UnsafeMutableRawBufferPointer) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: digests[page * PageDigest.byteCount..<(page + 1) * PageDigest.byteCount])
  }

  private static func hash(_ page: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) {
    var state = SHA256()
    state.update(bufferPointer: page)
    state.finalize().withUnsafeBytes { output.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<output.count])) }
  }

  private static func hashPair(
    _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer,
    into firstOutput: UnsafeMutableRawBufferPointer, _ secondOutput: UnsafeMutableRawBufferPointer
  ) {
    HashPair.digest(first, second) { first, second in
      firstOutput.copyMemory(from: UnsafeRawBufferPointer(rebasing: first[..<firstOutput.count]))
      secondOutput.copyMemory(from: UnsafeRawBufferPointer(rebasing: second[..<secondOutput.count]))
    }
  }

  /// True if all bytes are zero.
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

/// Computes a file digest from page digests in order (format.md, section 6). A page with data contributes its digest;
/// consecutive pages of zeros contribute sixteen zero bytes and their number, so that holes cost nothing.
package struct PageDigestStream {
  private var hasher = Hasher()
  private var zeroCount: UInt64 = 0

  package init() {}

  /// - Parameter digests: 16 bytes for each page; zeros for a page of zeros.
  /// - Returns: true if any of the digests is that of a page of zeros.
  @discardableResult
  package mutating func add(_ digests: [UInt8]) -> Bool {
    digests.withUnsafeBytes { digests in
      var start = 0
      var page = 0
      var hasZeros = false
      while page < digests.count {
        let end = page + PageDigest.byteCount
        if PageHasher.isZero(UnsafeRawBufferPointer(rebasing: digests[page..<end])) {
          addData(UnsafeRawBufferPointer(rebasing: digests[start..<page]))
          zeroCount += 1
          start = end
          hasZeros = true
        }
        page = end
      }
      addData(UnsafeRawBufferPointer(rebasing: digests[start...]))
      return hasZeros
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
