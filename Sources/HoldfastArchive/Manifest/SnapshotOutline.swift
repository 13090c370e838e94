package import HoldfastModel

/// The parts of an envelope that tell when a snapshot was taken, what it builds on, and where its changes are.
package struct SnapshotOutline: Sendable, Equatable {
  package let id: Identifier
  package let source: SourceName
  package let sequence: UInt64
  /// The sequence number under which it counts (`Snapshot.standsFor`).
  package let standsFor: UInt64
  /// The digest of its manifest.
  package let digest: Digest
  /// `nil` for a full.
  package let parent: Envelope.Parent?
  /// The time at which it was begun.
  package let started: Timestamp
  /// The number of the lease under which it was committed; `nil` if it was none.
  package let lease: UInt64?
  package let body: ObjectReference

  package init(_ snapshot: Snapshot) {
    (id, source, sequence) = (snapshot.id, snapshot.sourceName, snapshot.sequence)
    (standsFor, digest, parent) = (snapshot.standsFor, snapshot.digest, snapshot.envelope.parent)
    (started, body, lease) = (snapshot.envelope.started, snapshot.envelope.body, snapshot.envelope.lease)
  }

  /// Sorts the snapshots of one source as `Snapshot.isOlder` does.
  package static func isOlder(_ left: SnapshotOutline, _ right: SnapshotOutline) -> Bool {
    (left.standsFor, left.sequence) < (right.standsFor, right.sequence)
  }
}

// MARK: - Bytes

extension SnapshotOutline {
  /// The length of every outline in bytes.
  package static let byteCount = 5 * 8 + 4 + 3 * Identifier.byteCount + 3 * Digest.byteCount + 8
  private static let noBytes = [UInt8](repeating: 0, count: Digest.byteCount)

  /// The outline without its source, for a file of this machine.
  package var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.byteCount)
    for number in [sequence, standsFor, UInt64(bitPattern: started.seconds), parent?.sequence ?? 0, lease ?? 0] {
      bytes.appendLittleEndian(number)
    }
    bytes.appendLittleEndian(started.nanoseconds)
    bytes += id.bytes + (parent?.snapshot.bytes ?? Array(Self.noBytes.prefix(Identifier.byteCount))) + body.id.bytes
    bytes += digest.bytes + (parent?.digest.bytes ?? Self.noBytes) + body.digest.bytes
    bytes.appendLittleEndian(body.length)
    return bytes
  }

  /// - Parameter bytes: as `bytes` gives them. `nil` if they are not so many.
  package init?(bytes: [UInt8], of source: SourceName) {
    guard bytes.count == Self.byteCount else { return nil }
    var rest = bytes[44...]
    func take(_ count: Int) -> ArraySlice<UInt8> {
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
    let identifiers = (0..<3).compactMap { _ in Identifier(bytes: take(Identifier.byteCount)) }
    let digests = (0..<3).compactMap { _ in Digest(bytes: take(Digest.byteCount)) }
    guard identifiers.count == 3, digests.count == 3 else { return nil }
    self.source = source
    (sequence, standsFor) = (bytes.littleEndian(at: 0), bytes.littleEndian(at: 8))
    started = Timestamp(
      seconds: Int64(bitPattern: bytes.littleEndian(at: 16)), nanoseconds: bytes.littleEndian(at: 40))
    let leaseNumber: UInt64 = bytes.littleEndian(at: 32)
    lease = leaseNumber == 0 ? nil : leaseNumber
    let parentSequence: UInt64 = bytes.littleEndian(at: 24)
    (id, digest) = (identifiers[0], digests[0])
    parent =
      parentSequence == 0
      ? nil : Envelope.Parent(snapshot: identifiers[1], sequence: parentSequence, digest: digests[1])
    body = ObjectReference(id: identifiers[2], length: bytes.littleEndian(at: bytes.count - 8), digest: digests[2])
  }
}
