import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import Testing

/// What only recipients read of a container comes back to them, and shows its length to nobody (format.md, section 9).
@Suite struct LabelTests {
  private static let name = ContainerName(
    kind: .body, repository: SampleContainer.repository, id: SampleContainer.id)

  /// Writes a container without frames, reads it again, and says how long it is beside its label.
  private func roundTrip(_ label: [UInt8], for identities: [RecoveryIdentity]) throws -> (label: [UInt8], length: Int) {
    let sink = MemoryBytes()
    let head = try ContainerHead(Self.name, recipients: identities.map(\.recipient), label: label)
    let reference = try ContainerWriter(head, sink: sink).finish()
    let reader = try ContainerReader(
      MemoryBytes(sink.contents, name: "sample"), kind: .body, repository: Self.name.repository, reference: reference,
      access: .opening { name, slots in
        let slot = try #require(slots.last)
        return try #require(identities.last?.open(slot, info: name.keyInfo))
      })
    return (try reader.label(), sink.contents.count)
  }

  @Test(arguments: [(0, 128), (1, 128), (127, 128), (128, 256), (255, 256), (256, 384)])
  func onlyTheNextUnitOfItsLengthShows(count: Int, padded: Int) throws {
    let identity = try RecoveryIdentity()
    let label = [UInt8](repeating: UInt8(ascii: "x"), count: count)
    let (found, length) = try roundTrip(label, for: [identity])
    #expect(found == label)
    // Header, preamble with one slot, the label with its tag, seal, trailer.
    #expect(length == 64 + 8 + 96 + padded + 16 + 16 + 32)
  }

  /// The path of a source has up to 4095 bytes; as text each of them may become four.
  @Test func thePathWithTheLongestTextFitsBesideAllRecipients() throws {
    let identities = try (0..<Limits.recipientsMax).map { _ in try RecoveryIdentity() }
    let path = Path(bytes: [UInt8](repeating: 0xff, count: Limits.pathBytesMax))
    let label = Array(path.description.utf8)
    #expect(label.count == 4 * Limits.pathBytesMax)
    #expect(try roundTrip(label, for: identities).label == label)
  }
}
