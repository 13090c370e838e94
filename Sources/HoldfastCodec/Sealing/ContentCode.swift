package import HoldfastModel

internal import struct Crypto.HMAC
internal import struct Crypto.SHA256

extension WriterKey {
  /// Returns the code that replaces the digest of a file, so that only this machine can compare it (format.md, section
  /// 11).
  /// - Parameter context: identifies the file: the same bytes in another file have another code.
  package func contentCode(of digest: Digest, context: [UInt8]) -> Digest {
    let code = HMAC<SHA256>.authenticationCode(for: context + digest.bytes, using: contentKey)
    guard let digest = Digest(bytes: Array(code)) else { preconditionFailure("HMAC-SHA-256 has 32 bytes") }
    return digest
  }
}
