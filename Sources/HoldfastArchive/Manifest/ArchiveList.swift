internal import HoldfastModel

/// The archives of one snapshot. Each takes only 72 bytes, because a source may have a million archives, and all of its
/// snapshots are read together.
package struct ArchiveList: Sendable {
  private static let entryCount = 3 * 8 + Identifier.byteCount + Digest.byteCount
  /// Number, sequence and length of each archive, little-endian, followed by its ID and its digest.
  private var bytes: [UInt8] = []
  /// Stored bytes of all archives together.
  private(set) package var storedBytes: UInt64 = 0
  /// The number of archives, after they were dropped from memory.
  private var released: Int?

  package init() {}

  /// True if the archives are in memory. Otherwise only their number and their bytes are known.
  package var isHeld: Bool { released == nil }
  /// The memory that the list takes, in bytes.
  package var byteCount: Int { bytes.count }

  /// Drops the archives from memory; their number and their bytes stay known.
  package mutating func release() {
    released = count
    bytes = []
  }

  private static func encode(_ archive: Envelope.Archive) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(entryCount)
    for number in [archive.number, archive.sequence, archive.length] { bytes.appendLittleEndian(number) }
    bytes += archive.id.bytes
    bytes += archive.digest.bytes
    return bytes
  }
}

extension ArchiveList: Hashable, RandomAccessCollection, MutableCollection, RangeReplaceableCollection {
  package var startIndex: Int { 0 }
  package var endIndex: Int { released ?? bytes.count / Self.entryCount }

  package subscript(index: Int) -> Envelope.Archive {
    get {
      let start = index * Self.entryCount
      let entry = bytes[start..<start + Self.entryCount]
      guard let id = Identifier(bytes: entry.dropFirst(24).prefix(Identifier.byteCount)),
        let digest = Digest(bytes: entry.suffix(Digest.byteCount))
      else { preconditionFailure("an entry has always its length") }
      return Envelope.Archive(
        number: bytes.littleEndian(at: start), sequence: bytes.littleEndian(at: start + 8), id: id,
        length: bytes.littleEndian(at: start + 16), digest: digest)
    }
    set { replaceSubrange(index..<index + 1, with: [newValue]) }
  }

  package mutating func replaceSubrange(_ range: Range<Int>, with archives: some Collection<Envelope.Archive>) {
    let added = archives.flatMap(Self.encode)
    bytes.replaceSubrange(range.lowerBound * Self.entryCount..<range.upperBound * Self.entryCount, with: added)
    storedBytes = reduce(0) { $0.saturatingAdding($1.length) }
  }

  package mutating func append(_ archive: Envelope.Archive) {
    bytes += Self.encode(archive)
    storedBytes = storedBytes.saturatingAdding(archive.length)
  }
}

extension ArchiveList: ExpressibleByArrayLiteral {
  package init(arrayLiteral archives: Envelope.Archive...) { self.init(archives) }
}

extension ArchiveList: Codable {
  package init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    while !container.isAtEnd { append(try container.decode(Envelope.Archive.self)) }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    for archive in self { try container.encode(archive) }
  }
}
