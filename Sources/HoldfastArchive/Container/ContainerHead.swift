package import HoldfastCodec
package import HoldfastModel
internal import Synchronization

/// Identifies an archive or body. The key of a sealed container is bound to it.
package struct ContainerName: Hashable, Sendable {
  package let kind: ContainerKind
  package let repository: Identifier
  package let id: Identifier

  package init(kind: ContainerKind, repository: Identifier, id: Identifier) {
    self.kind = kind
    self.repository = repository
    self.id = id
  }

  /// The context for which a slot of the container's key is sealed (format.md, section 9).
  package var keyInfo: [UInt8] {
    Array("holdfast-1 object key".utf8) + repository.bytes + id.bytes + [kind.rawValue]
  }
}

/// The beginning of a container that is being written: header, preamble and, if it is sealed, the key of everything
/// after them. Safe for all threads: workers seal frames before their place in the container is known.
package final class ContainerHead: Sendable {
  package let name: ContainerName
  /// `nil` when the container is not sealed.
  package let key: SealingKey?
  /// The parity with which the container is written; `nil` for none.
  let parity: ParityCode?
  let header: [UInt8]
  let preamble: [UInt8]
  private let nextNumber = Atomic<UInt32>(0)

  /// Begins a container that is not sealed.
  package init(_ name: ContainerName, parity: ParityCode? = nil) {
    (self.name, self.parity) = (name, parity)
    key = nil
    preamble = []
    header = ContainerLayout.header(
      kind: name.kind, repository: name.repository, object: name.id, isSealed: false, preambleCount: 0,
      hasParity: parity != nil)
  }

  /// Begins a container that is sealed under a fresh key.
  /// - Parameters:
  ///   - recipients: those who can open it, 1 to 64.
  ///   - label: a path as text, which only the recipients can read.
  ///   - parity: the parity to write; `nil` for none.
  package init(
    _ name: ContainerName, recipients: [Recipient], label: [UInt8], parity: ParityCode? = nil
  ) throws {
    (self.name, self.parity) = (name, parity)
    let key = SealingKey()
    let info = name.keyInfo
    let padded = Self.padded(label)
    let slots = try recipients.map { try $0.seal(key, info: info) }
    header = ContainerLayout.header(
      kind: name.kind, repository: name.repository, object: name.id, isSealed: true,
      preambleCount: Preamble.byteCount(slots: slots.count, label: padded.count + SealingKey.tagByteCount),
      hasParity: parity != nil)
    let sealedLabel = try key.seal(
      padded, number: SealedPart.labelNumber, associated: SealedPart.label.associated(header))
    preamble = Preamble(slots: slots, label: sealedLabel).bytes
    self.key = key
  }

  /// Pads the label so that its stored length does not show how long it is.
  private static func padded(_ label: [UInt8]) -> [UInt8] {
    let count = (label.count / SealedPart.labelUnit + 1) * SealedPart.labelUnit
    return label + [UInt8](repeating: 0, count: count - label.count)
  }

  /// Returns a number that no other frame of this container gets.
  func takeNumber() throws -> UInt32 {
    guard key != nil else { return 0 }
    let number = nextNumber.wrappingAdd(1, ordering: .relaxed).oldValue
    // A container has far fewer frames. Using a number twice would break the encryption.
    guard number <= SealedPart.frameNumberMax else { throw FormatError(name.id.short, "it has too many frames") }
    return number
  }

  /// Returns the tag over everything but the frames; it is empty when the container is not sealed.
  func seal(over digest: Digest) throws -> [UInt8] {
    try key?.seal([], number: SealedPart.indexNumber, associated: SealedPart.index(digest).associated(header)) ?? []
  }
}

/// The parts that are sealed under the key of a container, and the nonce of each (format.md, section 9).
enum SealedPart {
  case frame(plainCount: UInt32, codec: FrameCodec)
  case label
  case index(Digest)

  static let frameNumberMax = UInt32.max - 2
  static let labelUnit = 128
  static let labelNumber = UInt32.max - 1
  static let indexNumber = UInt32.max

  func associated(_ header: [UInt8]) -> [UInt8] {
    var bytes = header
    switch self {
    case .frame(let plainCount, let codec):
      bytes.append(1)
      bytes.appendLittleEndian(plainCount)
      bytes.append(codec.rawValue)
    case .label: bytes.append(2)
    case .index(let digest):
      bytes.append(3)
      bytes += digest.bytes
    }
    return bytes
  }
}
