/// One value of a row, as SQLite has it.
package enum QueryValue: Hashable, Sendable {
  case null
  case integer(Int64)
  /// - text: the number as SQLite writes it.
  case real(Double, text: String)
  /// Bytes that should be UTF-8; a database may contain others.
  case text([UInt8])
  case blob([UInt8])

  /// The bytes of a text or a BLOB; 0 for others.
  var byteCount: Int {
    switch self {
    case .null, .integer, .real: 0
    case .text(let bytes), .blob(let bytes): bytes.count
    }
  }

  /// True if an assertion that gives this value holds: it is neither 0 nor NULL, nor an empty text.
  package var holds: Bool {
    switch self {
    case .null: false
    case .integer(let value): value != 0
    case .real(let value, _): value != 0
    case .text(let bytes): !bytes.isEmpty && bytes != [UInt8(ascii: "0")]
    case .blob(let bytes): !bytes.isEmpty
    }
  }
}

/// JSON has numbers, texts and null. A BLOB is the text of its literal, `x'…'`, and an infinite number is the text that
/// SQLite writes for it.
extension QueryValue: Encodable {
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .integer(let value): try container.encode(value)
    case .real(let value, let text):
      if value.isFinite { try container.encode(value) } else { try container.encode(text) }
    case .text(let bytes): try container.encode(String(decoding: bytes, as: UTF8.self))
    case .blob(let bytes): try container.encode(BlobText.literal(bytes))
    }
  }
}
