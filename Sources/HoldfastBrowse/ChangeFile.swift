internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// The file of the changes of one source: a header, then records, which are only ever appended. A record is that of the
/// snapshot whose manifest has its digest, and of no other. A checksum shows which records are whole; nothing is
/// synchronized to disk. Whatever goes wrong with the file, the run continues without it.
///
/// A record: the length of the changes and their CRC-32 (4 bytes each), the outline, the CRC-32 of all that is before
/// it, the changes.
final class ChangeFile: @unchecked Sendable {
  // Sendable without a lock, because one thread appends, and others read meanwhile only what was there when it was
  // opened.
  private static let magic = Array("HFCHNGS2".utf8)
  private static let outlineOffset = 8
  private static let headCount = outlineOffset + SnapshotOutline.byteCount + 4
  /// Longer lists are not kept: reading them costs no less than reading the body.
  static let changesBytesMax = 1 << 20

  /// So many records of snapshots that are gone are always borne with.
  private static let goneRecordsMin = 64

  private struct Record {
    let outline: SnapshotOutline
    let offset: UInt64
    let count: Int
    let checksum: UInt32
  }

  private let name: String
  private let header: [UInt8]
  private let directory: Path
  private let files: FileSystem
  private let bytesMax: UInt64
  private var file: OpenFile?
  private var end: UInt64 = 0
  private var records: [UInt64: Record] = [:]
  /// All records of the file, also those that a later one replaces.
  private var recordCount = 0
  /// The file with the lock of writers, once something was kept.
  private var writer: OpenFile?
  /// True if nothing more is kept, because another run writes or the directory cannot be used.
  private var isRefused = false

  init(of source: SourceName, in repository: Identifier, directory: Path, files: FileSystem, bytesMax: UInt64) {
    name = "changes-\(repository)-\(source.key)"
    header = Self.magic + repository.bytes
    (self.directory, self.files, self.bytesMax) = (directory, files, bytesMax)
    try? open(of: source)
  }

  /// The outlines of the snapshots whose changes are kept, by sequence number.
  var outlines: [UInt64: SnapshotOutline] { records.mapValues(\.outline) }

  private func open(of source: SourceName) throws {
    guard let file = try OwnDirectory(directory, files: files)?.file(name, .read),
      try Self.bytes(of: file, at: 0, count: header.count) == header
    else { return }
    self.file = file
    end = UInt64(header.count)
    while let head = try Self.bytes(of: file, at: end, count: Self.headCount) {
      let checked = head.dropLast(4)
      guard Self.checksum(checked) == head.littleEndianNumber(at: checked.count),
        let outline = SnapshotOutline(bytes: Array(checked.dropFirst(Self.outlineOffset)), of: source)
      else { return }
      let count = Int(head.littleEndianNumber(at: 0))
      guard count <= Self.changesBytesMax else { return }
      records[outline.sequence] = Record(
        outline: outline, offset: end + UInt64(Self.headCount), count: count,
        checksum: head.littleEndianNumber(at: 4))
      end += UInt64(Self.headCount + count)
      recordCount += 1
    }
  }

  private static func bytes(of file: OpenFile, at offset: UInt64, count: Int) throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    return try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: offset) } == count ? bytes : nil
  }

  private static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 {
    Array(bytes).withUnsafeBytes { CRC32.checksum($0) }
  }

  func keeps(_ snapshot: SnapshotOutline) -> Bool { records[snapshot.sequence]?.outline == snapshot }

  /// Returns what a snapshot has changed; `nil` if it is not kept.
  func changes(of snapshot: SnapshotOutline) -> ChangeList? {
    guard let record = records[snapshot.sequence], record.outline == snapshot, let file,
      let bytes = try? Self.bytes(of: file, at: record.offset, count: record.count),
      Self.checksum(bytes) == record.checksum
    else { return nil }
    return ChangeList(bytes: bytes)
  }

  // MARK: Writing

  /// Keeps what snapshots have changed. If another run writes too, nothing is kept.
  /// - Parameter existing: the number of snapshots of the source. If most records are of others, the file is begun
  ///   anew.
  func keep(_ new: [(outline: SnapshotOutline, changes: ChangeList)], existing: Int) {
    guard !new.isEmpty, !isRefused else { return }
    do {
      writer = try writer ?? openToWrite(existing: existing)
      guard let writer else { return isRefused = true }
      for (outline, changes) in new { try append(outline, changes, to: writer) }
    } catch {
      // Without the file, everything is read from the repository.
      isRefused = true
    }
  }

  /// - Returns: the locked file, cut off behind the last record that is known; `nil` when another run holds the lock.
  private func openToWrite(existing: Int) throws -> OpenFile? {
    let own = try OwnDirectory(making: directory, files: files)
    if try own.file(name, .readWrite) == nil { try own.remove(name) }
    let writer = try files.openBeneath(Path(name), in: own.directory, .openOrCreate)
    guard try writer.lock(exclusively: true, wait: false) else { return nil }
    let status = try writer.status()
    let isKnown = try file?.status().isSameFile(as: status) ?? false
    if !isKnown || status.size < end || recordCount > 2 * existing + Self.goneRecordsMin {
      (end, recordCount) = (UInt64(header.count), 0)
      try header.withUnsafeBytes { try writer.write($0, at: 0) }
    }
    try writer.truncate(to: end)
    return writer
  }

  private func append(_ outline: SnapshotOutline, _ changes: ChangeList, to file: OpenFile) throws {
    guard changes.bytes.count <= Self.changesBytesMax,
      end + UInt64(Self.headCount + changes.bytes.count) <= bytesMax
    else { return }
    var record = Self.littleEndian(UInt32(changes.bytes.count)) + Self.littleEndian(Self.checksum(changes.bytes))
    record += outline.bytes
    record += Self.littleEndian(Self.checksum(record)) + changes.bytes
    try record.withUnsafeBytes { try file.write($0, at: end) }
    end += UInt64(record.count)
    recordCount += 1
  }

  private static func littleEndian(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
}

extension [UInt8] {
  fileprivate func littleEndianNumber(at index: Int) -> UInt32 {
    self[index..<index + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }
}
