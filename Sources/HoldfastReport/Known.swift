/// A value that is `null` when it is unknown, never absent: a script that reads a field finds it.
package struct Known<Value: Encodable>: Encodable {
  let value: Value?
  package init(_ value: Value?) { self.value = value }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if let value { try container.encode(value) } else { try container.encodeNil() }
  }
}
