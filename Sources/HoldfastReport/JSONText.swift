internal import FoundationEssentials

/// Formats values as JSON, with sorted keys.
package enum JSONText {
  /// On several lines, for a single value.
  package static func document(_ value: some Encodable) throws -> String { try text(value, [.prettyPrinted]) }

  /// On one line, for output that is streamed, and for messages.
  package static func line(_ value: some Encodable) throws -> String { try text(value, []) }

  private static func text(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
