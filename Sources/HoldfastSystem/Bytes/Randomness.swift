internal import CLinux
package import HoldfastModel

/// The source of random bytes, for IDs and keys.
package struct Randomness: Sendable {
  /// Returns `count` bytes that nobody can predict.
  package let bytes: @Sendable (_ count: Int) -> [UInt8]

  package init(bytes: @escaping @Sendable (_ count: Int) -> [UInt8]) {
    self.bytes = bytes
  }

  package func identifier() -> Identifier {
    guard let identifier = Identifier(bytes: bytes(Identifier.byteCount)) else {
      preconditionFailure("a source of randomness gave another number of bytes than asked")
    }
    return identifier
  }

  /// The kernel's generator (getrandom(2)).
  package static let system = Randomness { count in
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }
}
