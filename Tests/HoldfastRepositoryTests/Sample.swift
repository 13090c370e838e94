import HoldfastModel

/// Values of which tests only need that they differ.
enum Sample {
  static func repository(_ byte: UInt8) -> Identifier {
    guard let identifier = Identifier(bytes: [UInt8](repeating: byte, count: Identifier.byteCount)) else {
      preconditionFailure("an identifier has sixteen bytes")
    }
    return identifier
  }
}
