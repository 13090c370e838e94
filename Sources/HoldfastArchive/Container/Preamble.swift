internal import HoldfastCodec
internal import HoldfastModel

/// The part of a sealed container between header and frames (format.md, section 9): the container's key, sealed to each
/// recipient, and its label.
struct Preamble {
  let slots: [KeySlot]
  /// The sealed label with its tag.
  let label: [UInt8]

  private static let fixedCount = 8
  private static let slotCount = Identifier.byteCount + KeySlot.encapsulatedByteCount + KeySlot.sealedByteCount

  init(slots: [KeySlot], label: [UInt8]) {
    self.slots = slots
    self.label = label
  }

  static func byteCount(slots: Int, label: Int) -> Int { fixedCount + slots * slotCount + label }

  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(UInt16(slots.count))
    bytes.appendLittleEndian(UInt16(label.count))
    bytes.appendLittleEndian(UInt32(0))
    for slot in slots { bytes += slot.recipient.bytes + slot.encapsulatedKey + slot.sealedKey }
    return bytes + label
  }

  /// `nil` when the bytes are not a valid preamble.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= Self.fixedCount else { return nil }
    let slotCount = Int(bytes.littleEndian(at: 0) as UInt16)
    let labelCount = Int(bytes.littleEndian(at: 2) as UInt16)
    guard (1...Limits.recipientsMax).contains(slotCount), labelCount >= SealingKey.tagByteCount,
      bytes.littleEndian(at: 4) as UInt32 == 0, bytes.count == Self.byteCount(slots: slotCount, label: labelCount)
    else { return nil }
    slots = (0..<slotCount).compactMap { index in
      let start = Self.fixedCount + index * Self.slotCount
      let key = start + Identifier.byteCount
      let sealed = key + KeySlot.encapsulatedByteCount
      return Identifier(bytes: bytes[start..<key]).map {
        KeySlot(
          recipient: $0, encapsulatedKey: Array(bytes[key..<sealed]),
          sealedKey: Array(bytes[sealed..<sealed + KeySlot.sealedByteCount]))
      }
    }
    label = Array(bytes[(bytes.count - labelCount)...])
  }
}
