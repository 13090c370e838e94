internal import FoundationEssentials
package import HoldfastModel

/// Formats values as JSON, with sorted keys.
package enum JSONText {
  /// The version of what commands write with `--json` (docs/json.md).
  static let schema = 1

  /// Returns a document: the keys of an object, and `schema`. On several lines.
  /// - Parameter value: must be encoded as an object.
  package static func document(_ value: some Encodable) throws -> String {
    try text(Document(value: value), [.prettyPrinted])
  }

  /// Returns the same on one line, for a command that writes a document again and again.
  package static func documentLine(_ value: some Encodable) throws -> String { try line(Document(value: value)) }

  /// Returns the beginning of a document that ends with an array, up to its first element. Each element is written on
  /// a line of its own (`element`), and then the end (`closing`).
  /// - Parameter value: must be encoded as an object.
  package static func opening(_ value: some Encodable, array: String) throws -> String {
    try line(Document(value: value)).dropLast() + ",\"\(array)\":["
  }

  /// Returns an element of the array of a document.
  package static func element(_ value: some Encodable, isFirst: Bool) throws -> String {
    try (isFirst ? "\n" : ",\n") + line(value)
  }

  /// Returns the end of a document whose array was opened, and is its last value.
  package static func closing(isEmpty: Bool) -> String { isEmpty ? "]}" : "\n]}" }

  /// Returns the end of a document whose array was opened, with further keys.
  /// - Parameter rest: must be encoded as an object that is not empty.
  package static func closing(_ rest: some Encodable, isEmpty: Bool) throws -> String {
    try closing(isEmpty: isEmpty).dropLast() + "," + line(rest).dropFirst()
  }

  /// Returns the end of a document whose array was opened, and which an error ends.
  package static func closing(failure: any OperatorError, isEmpty: Bool) throws -> String {
    try closing(ErrorJSON(failure, failure.exitStatus), isEmpty: isEmpty)
  }

  /// On one line, for messages and parts of a document.
  package static func line(_ value: some Encodable) throws -> String { try text(value, []) }

  private static func text(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  private struct Document<Value: Encodable>: Encodable {
    private enum Key: String, CodingKey { case schema }

    let value: Value

    func encode(to encoder: any Encoder) throws {
      try value.encode(to: encoder)
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(JSONText.schema, forKey: .schema)
    }
  }
}
