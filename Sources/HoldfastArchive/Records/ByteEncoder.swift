internal import HoldfastModel

/// Appends the primitives of format.md, section 3.
struct ByteEncoder {
  var bytes: [UInt8] = []

  mutating func byte(_ value: UInt8) { bytes.append(value) }

  mutating func varint(_ value: some UnsignedInteger) {
    var rest = UInt64(value)
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func signedVarint(_ value: Int64) {
    varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
  }

  mutating func raw(_ value: some Collection<UInt8>) { bytes.append(contentsOf: value) }

  mutating func counted(_ value: some Collection<UInt8>) {
    varint(UInt(value.count))
    raw(value)
  }

  /// Appends a path as the length that it shares with the path before it, and the rest.
  mutating func path(_ next: Path, after previous: Path) {
    var shared = 0
    let limit = min(previous.bytes.count, next.bytes.count)
    while shared < limit, previous.bytes[shared] == next.bytes[shared] { shared += 1 }
    varint(UInt(shared))
    counted(next.bytes[shared...])
  }

  mutating func time(_ value: Timestamp) {
    signedVarint(value.seconds)
    varint(value.nanoseconds)
  }
}
