internal import HoldfastCodec
internal import HoldfastModel

/// The journal of a source as one object (format.md, section 13): a head, then the lines of the entries, compressed as
/// a whole.
package struct JournalObject: Hashable, Sendable {
  /// The maximum number of entries. Beyond it the oldest are dropped.
  package static let entriesMax = 512
  package static let plainBytesMax = 1 << 20
  /// The largest object in bytes. Without compression it is as long as its plain bytes.
  package static let bytesMax = headBytes + plainBytesMax
  private static let magic = Array("HFJOURNL".utf8)
  private static let version: UInt16 = 1
  private static let headBytes = 48
  private static let newline = UInt8(ascii: "\n")

  /// The lines without their newlines, the oldest first. They are copied unchanged from one object to the next, and
  /// parsed only for readers of `entries`.
  private var lines: [ArraySlice<UInt8>] = []

  package init() {}

  package var count: Int { lines.count }

  /// The valid entries, the oldest first.
  package var entries: [JournalEntry] { lines.compactMap { JournalEntry(parsing: $0) } }

  package mutating func append(_ entry: JournalEntry) throws {
    lines.append(try entry.line()[...])
    var kept = lines.suffix(Self.entriesMax)
    var count = kept.reduce(0) { $0 + $1.count + 1 }
    while count > Self.plainBytesMax, let oldest = kept.popFirst() { count -= oldest.count + 1 }
    lines = Array(kept)
  }

  /// True if the journal contains this entry.
  package func contains(_ entry: JournalEntry) -> Bool {
    guard let line = try? entry.line() else { return false }
    return lines.contains { $0.elementsEqual(line) }
  }

  // MARK: Bytes

  package func serialized() throws -> [UInt8] {
    let plain = lines.flatMap { $0 + [Self.newline] }
    var stored = [UInt8](repeating: 0, count: plain.count)
    let (codec, count) = try plain.withUnsafeBytes { plain in
      try stored.withUnsafeMutableBytes { try Compressor(.standard).compress(plain, into: $0) }
    }
    var bytes = Self.magic + Self.littleEndian(Self.version) + [codec.rawValue, 0]
    bytes += Self.littleEndian(UInt32(plain.count)) + Hasher.digest(plain).bytes
    return bytes + stored[..<count]
  }

  /// - Throws: `FormatError` for a newer format, `DamageError` for anything but a journal. Its lengths are checked
  ///   against the limits before anything is allocated.
  package init(parsing bytes: [UInt8], name: String) throws {
    guard bytes.count >= Self.headBytes, bytes.starts(with: Self.magic) else {
      throw DamageError(name, "it is not a journal")
    }
    let version = UInt16(bytes[8]) | UInt16(bytes[9]) << 8
    guard version == Self.version else {
      throw FormatError(name, "it has format \(version), and this version reads format \(Self.version)")
    }
    let plainCount = (0..<4).reduce(0) { $0 | Int(bytes[12 + $1]) << (8 * $1) }
    guard let codec = FrameCodec(rawValue: bytes[10]), bytes[11] == 0, bytes.count <= Self.bytesMax,
      (1...Self.plainBytesMax).contains(plainCount)
    else { throw DamageError(name, "its head is not sound") }
    var plain = [UInt8](repeating: 0, count: plainCount)
    do {
      try bytes[Self.headBytes...].withUnsafeBytes { stored in
        try plain.withUnsafeMutableBytes { try Decompressor().decompress(stored, codec: codec, into: $0) }
      }
    } catch let error as CodecError where error.isDamage {
      throw DamageError(name, error.message)
    }
    guard Hasher.digest(plain).bytes.elementsEqual(bytes[16..<Self.headBytes]) else {
      throw DamageError(name, "its entries do not have the digest in its head")
    }
    guard plain.last == Self.newline else { throw DamageError(name, "its last line is cut short") }
    lines = plain.split(separator: Self.newline)
    guard lines.count <= Self.entriesMax else { throw DamageError(name, "it has too many entries") }
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
