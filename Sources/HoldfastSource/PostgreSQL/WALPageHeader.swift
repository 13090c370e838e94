package import HoldfastModel

/// The header of a page of PostgreSQL's WAL (`access/xlog_internal.h`), little-endian. At the beginning of a segment it
/// is longer and identifies the cluster.
package struct WALPageHeader: Hashable, Sendable {
  package static let shortCount = 24
  package static let longCount = 40

  /// The additional fields of the long header.
  package struct Segment: Hashable, Sendable {
    package let system: SystemIdentifier
    package let size: WALSegmentSize
    /// The size of a page in bytes.
    package let pageSize: Int
  }

  struct Flags: OptionSet, Hashable {
    let rawValue: UInt16
    /// The page begins with the rest of a record.
    static let continuation = Flags(rawValue: 1)
    static let long = Flags(rawValue: 2)
    static let removable = Flags(rawValue: 4)
    /// The record that the page before left incomplete will never be completed.
    static let overwrites = Flags(rawValue: 8)
    static let known: Flags = [.continuation, .long, .removable, .overwrites]
  }

  let magic: UInt16
  let flags: Flags
  let timeline: UInt32
  let address: LogSequenceNumber
  /// The bytes that remain of the record that the page before did not complete.
  let remaining: UInt32
  package let segment: Segment?

  /// Parses a header; `nil` if it is not valid.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= Self.longCount else { return nil }
    magic = bytes.littleEndian(at: 0)
    flags = Flags(rawValue: bytes.littleEndian(at: 2))
    timeline = bytes.littleEndian(at: 4)
    address = LogSequenceNumber(bytes.littleEndian(at: 8))
    remaining = bytes.littleEndian(at: 16)
    guard WALVersion.isMagic(magic), flags.isSubset(of: .known), timeline > 0 else { return nil }
    guard flags.contains(.long) else {
      segment = nil
      return
    }
    let system: UInt64 = bytes.littleEndian(at: 24)
    let segmentSize: UInt32 = bytes.littleEndian(at: 32)
    let pageSize: UInt32 = bytes.littleEndian(at: 36)
    guard system > 0, let size = WALSegmentSize(UInt64(segmentSize)), (1024...65536).contains(pageSize),
      pageSize.nonzeroBitCount == 1
    else { return nil }
    segment = Segment(system: SystemIdentifier(system), size: size, pageSize: Int(pageSize))
  }

  var count: Int { segment == nil ? Self.shortCount : Self.longCount }
}

/// The PostgreSQL versions whose records are understood.
enum WALVersion {
  private static let understood: ClosedRange<UInt16> = 0xd101...0xd116
  private static let possible: ClosedRange<UInt16> = 0xd101...0xd1ff

  /// Returns true if the page is from PostgreSQL 12 or later. Segments of future versions are stored as well.
  static func isMagic(_ magic: UInt16) -> Bool { possible.contains(magic) }

  /// Returns true if the records have the layout of PostgreSQL 12 to 17.
  static func isUnderstood(_ magic: UInt16) -> Bool { understood.contains(magic) }

  /// Returns the bits in the head of a block's image that tell that it is compressed; `nil` if this is not a released
  /// version of PostgreSQL from 12 to 17.
  static func compressionFlags(_ magic: UInt16) -> UInt8? {
    switch magic {
    // 12, 13, 14: BKPIMAGE_IS_COMPRESSED
    case 0xd101, 0xd106, 0xd10d: 0x02
    // 15, 16, 17: BKPIMAGE_COMPRESS_PGLZ, _LZ4, _ZSTD
    case 0xd110, 0xd113, 0xd116: 0x04 | 0x08 | 0x10
    default: nil
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Reads a number. The caller must have checked that there are enough bytes.
  func littleEndian<Value: FixedWidthInteger>(at offset: Int) -> Value {
    Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
  }
}
