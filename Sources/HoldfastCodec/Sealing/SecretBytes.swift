internal import Crypto
internal import Glibc

/// Secret bytes that are overwritten when the last reference to them is released. docs/security.md says how far that
/// helps.
package final class SecretBytes: @unchecked Sendable {
  // Written once, in `init`, and then only read. So threads may share it.
  private let bytes: UnsafeMutableRawBufferPointer

  /// Takes the bytes over, and overwrites `source`.
  package init(taking source: inout [UInt8]) {
    bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 16)
    bytes.copyBytes(from: source)
    Self.wipe(&source)
  }

  /// Random bytes from the kernel.
  static func random(count: Int) -> SecretBytes {
    var bytes = SymmetricKey(size: SymmetricKeySize(bitCount: count * 8)).withUnsafeBytes { Array($0) }
    return SecretBytes(taking: &bytes)
  }

  deinit {
    Self.wipe(bytes)
    bytes.deallocate()
  }

  package var count: Int { bytes.count }

  package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try body(UnsafeRawBufferPointer(bytes))
  }

  /// Overwrites the bytes in place, and empties the array.
  package static func wipe(_ bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes { wipe($0) }
    bytes = []
  }

  private static func wipe(_ bytes: UnsafeMutableRawBufferPointer) {
    if let start = bytes.baseAddress { explicit_bzero(start, bytes.count) }
  }

  /// HKDF with an empty salt: one key for each purpose (format.md, section 9).
  func derive(_ purpose: String) -> SymmetricKey {
    withUnsafeBytes { secret in
      HKDF<SHA256>.deriveKey(
        inputKeyMaterial: SymmetricKey(data: secret), info: Array("holdfast-1 \(purpose)".utf8), outputByteCount: 32)
    }
  }
}
