package import HoldfastModel
internal import HoldfastSystem

/// The contents of `global/pg_control` (PostgreSQL's source, catalog/pg_control.h; the same layout from 12 to 17).
package struct ControlFile: Sendable, Equatable {
  package static let path = Path("global/pg_control")
  /// The number of bytes that PostgreSQL reads and writes at once. Only the first few hundred are used.
  package static let byteCount = 8192
  private static let attemptsMax = 100
  /// The possible offsets of the checksum. It follows all bytes that it covers.
  private static let checksumOffsets = stride(from: 200, through: 508, by: 4)
  /// The number of bytes from the field that says if pages have checksums to the end of the content: this field, and 32
  /// bytes for authentication.
  private static let tailBytes = 36
  /// The offset of the settings that `WALParameters` names. They are consecutive.
  private static let minimaOffset = 180
  /// The offset of the number 1234567.0 after the settings. It shows that the layout is as expected.
  private static let layoutMark = 208
  private static let layoutMarkBits = 1_234_567.0.bitPattern
  /// The offset of `full_page_writes` at the last checkpoint, a byte.
  private static let fullPagesOffset = 56
  /// The offset of `wal_log_hints`, a byte.
  private static let logHintsOffset = 176
  /// The offset of the bytes of a block; the number of blocks of a file follows.
  private static let blockOffset = 216

  package let system: UInt64
  package let isShutDown: Bool
  /// The position at which recovery from the last checkpoint would begin.
  let redo: LogSequenceNumber
  /// The timeline of that checkpoint.
  let timeline: UInt32
  package let hasPageChecksums: Bool
  /// True if at that checkpoint the first change of a page was logged with an image of it (`full_page_writes`).
  package let writesFullPages: Bool
  /// True if the first change of a page after a checkpoint is always in the log, even if it is only a hint.
  package let logsHints: Bool
  /// True if files of relations are divided as PostgreSQL is normally built: 131,072 blocks of 8 KiB each.
  package let hasUsualBlocks: Bool
  /// The checksum of the whole file. If two control files are equal, nothing such as a checkpoint happened in between.
  private let checksum: UInt32

  /// - Returns: `nil` if the bytes are not a valid control file.
  package init?(_ bytes: UnsafeRawBufferPointer) {
    guard let end = Self.checksumOffset(bytes) else { return nil }
    checksum = bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self)
    system = bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self).littleEndian
    // DB_SHUTDOWNED, DB_SHUTDOWNED_IN_RECOVERY
    isShutDown = (1...2).contains(bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self).littleEndian)
    redo = LogSequenceNumber(bytes.littleEndian(at: 40))
    timeline = bytes.littleEndian(at: 48)
    writesFullPages = bytes[Self.fullPagesOffset] == 1
    let kind = bytes.loadUnaligned(fromByteOffset: end - Self.tailBytes, as: UInt32.self).littleEndian
    hasPageChecksums = kind != 0
    let isUsualLayout =
      bytes.count >= Self.blockOffset + 8
      && bytes.littleEndian(at: Self.layoutMark) as UInt64 == Self.layoutMarkBits
    logsHints = hasPageChecksums || (isUsualLayout && bytes[Self.logHintsOffset] == 1)
    hasUsualBlocks =
      isUsualLayout && bytes.littleEndian(at: Self.blockOffset) == UInt32(PostgresFile.pageBytes)
      && UInt64(bytes.littleEndian(at: Self.blockOffset + 4) as UInt32) == PostgresFile.blocksPerSegment
  }

  /// Returns the least values of settings with which a server can replay the cluster's log, by the names of the
  /// settings; `nil` if the layout is not that of PostgreSQL 12 to 17.
  package static func minima(_ bytes: UnsafeRawBufferPointer) -> [String: Int32]? {
    guard bytes.count >= layoutMark + 8, bytes.littleEndian(at: layoutMark) as UInt64 == layoutMarkBits else {
      return nil
    }
    return Dictionary(
      uniqueKeysWithValues: WALParameters.names.enumerated().map { index, name in
        (name, bytes.littleEndian(at: minimaOffset + 4 * index) as Int32)
      })
  }

  /// Reads until the content is of one moment, because a running server writes to the file.
  /// - Returns: `nil` if it never is valid.
  static func read(_ file: OpenFile, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> ControlFile? {
    for _ in 0..<attemptsMax {
      let count = try file.read(into: buffer, at: 0)
      if let control = ControlFile(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { return control }
    }
    return nil
  }

  /// Returns the offset of the CRC-32C. It covers everything before it, so it is found where a stored and a computed
  /// value agree. The length of the content differs between versions.
  private static func checksumOffset(_ bytes: UnsafeRawBufferPointer) -> Int? {
    var crc = CRC32C()
    var covered = 0
    for offset in checksumOffsets where offset + 4 <= bytes.count {
      crc.add(UnsafeRawBufferPointer(rebasing: bytes[covered..<offset]))
      covered = offset
      if crc.value == bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self).littleEndian { return offset }
    }
    return nil
  }
}
