internal import FoundationEssentials
package import HoldfastModel

internal import enum Crypto.AES
internal import struct Crypto.HKDF
internal import struct Crypto.HMAC
internal import struct Crypto.SHA256
internal import struct Crypto.SymmetricKey
internal import struct Crypto.SymmetricKeySize

/// An AES-256-GCM key with one use only, such as one archive (format.md, section 9). So nonces are small numbers, each
/// used once.
package struct SealingKey: Sendable {
  package static let byteCount = 32
  package static let tagByteCount = 16
  package static let nonceByteCount = 12
  private let key: SymmetricKey

  /// Makes a new random key.
  package init() {
    key = SymmetricKey(size: .bits256)
  }

  init(_ key: SymmetricKey) {
    self.key = key
  }

  /// Derives a key for one file; the same salt gives the same key.
  package func derived(salt: [UInt8]) -> SealingKey {
    SealingKey(
      HKDF<SHA256>.deriveKey(
        inputKeyMaterial: key, salt: salt, info: Array("holdfast-1 file".utf8), outputByteCount: Self.byteCount))
  }

  func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try key.withUnsafeBytes(body)
  }

  /// Seals `plain` into `output`, which must have room for it and its tag: the sealed bytes, then the tag.
  /// - Parameter number: the nonce; used only once under this key.
  /// - Returns: the number of stored bytes.
  package func seal(
    _ plain: UnsafeRawBufferPointer, number: UInt32, associated: [UInt8], into output: UnsafeMutableRawBufferPointer
  ) throws -> Int {
    let box = try AES.GCM.seal(plain, using: key, nonce: nonce(number), authenticating: associated)
    let count = plain.count + Self.tagByteCount
    guard output.count >= count else { throw KeyError.unusable("a buffer without room for its tag") }
    box.ciphertext.withUnsafeBytes { output.copyMemory(from: $0) }
    box.tag.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: output[plain.count...]).copyMemory(from: $0) }
    return count
  }

  /// Opens sealed bytes into `output`, which must have room for them without their tag.
  /// - Returns: the number of plain bytes; `nil` when the bytes, the number or the associated data differ from what was
  ///   sealed.
  package func open(
    _ stored: UnsafeRawBufferPointer, number: UInt32, associated: [UInt8], into output: UnsafeMutableRawBufferPointer
  ) -> Int? {
    let count = stored.count - Self.tagByteCount
    guard count >= 0, output.count >= count, let nonce = try? nonce(number),
      let box = try? AES.GCM.SealedBox(
        nonce: nonce, ciphertext: stored[..<count], tag: UnsafeRawBufferPointer(rebasing: stored[count...])),
      let plain = try? AES.GCM.open(box, using: key, authenticating: associated)
    else { return nil }
    plain.withUnsafeBytes { output.copyMemory(from: $0) }
    return count
  }

  /// Opens sealed bytes in place, and passes the plain bytes to `body`.
  /// - Parameter sealed: `nonceByteCount` bytes of room for the nonce, which are overwritten, then the stored bytes.
  ///   This layout saves the library a copy.
  /// - Returns: `nil` when the bytes, the number or the associated data differ from what was sealed.
  package func open<Result>(
    inPlace sealed: UnsafeMutableRawBufferPointer, number: UInt32, associated: [UInt8],
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result? {
    guard sealed.count >= Self.nonceByteCount + Self.tagByteCount, let start = sealed.baseAddress,
      let nonce = try? nonce(number)
    else { return nil }
    nonce.withUnsafeBytes { sealed.copyMemory(from: $0) }
    let combined = Data(bytesNoCopy: start, count: sealed.count, deallocator: .none)
    guard let box = try? AES.GCM.SealedBox(combined: combined),
      let plain = try? AES.GCM.open(box, using: key, authenticating: associated)
    else { return nil }
    return try plain.withUnsafeBytes(body)
  }

  package func seal(_ plain: [UInt8], number: UInt32, associated: [UInt8]) throws -> [UInt8] {
    var output = [UInt8](repeating: 0, count: plain.count + Self.tagByteCount)
    _ = try plain.withUnsafeBytes { plain in
      try output.withUnsafeMutableBytes { try seal(plain, number: number, associated: associated, into: $0) }
    }
    return output
  }

  package func open(_ stored: [UInt8], number: UInt32, associated: [UInt8]) -> [UInt8]? {
    var output = [UInt8](repeating: 0, count: max(0, stored.count - Self.tagByteCount))
    let count = stored.withUnsafeBytes { stored in
      output.withUnsafeMutableBytes { open(stored, number: number, associated: associated, into: $0) }
    }
    return count == nil ? nil : output
  }

  /// Returns the code that replaces a state root, so that nobody without the key can compare it (format.md, section 9).
  package func sealedRoot(_ root: Digest) -> Digest {
    let derived = HKDF<SHA256>.deriveKey(
      inputKeyMaterial: key, info: Array("holdfast-1 state root".utf8), outputByteCount: 32)
    let code = HMAC<SHA256>.authenticationCode(for: root.bytes, using: derived)
    guard let digest = Digest(bytes: Array(code)) else { preconditionFailure("HMAC-SHA-256 has 32 bytes") }
    return digest
  }

  private func nonce(_ number: UInt32) throws -> AES.GCM.Nonce {
    var bytes = [UInt8](repeating: 0, count: 12)
    for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: number >> (8 * UInt32(index))) }
    return try AES.GCM.Nonce(data: bytes)
  }
}
