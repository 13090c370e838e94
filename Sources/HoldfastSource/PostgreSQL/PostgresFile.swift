internal import CPostgres
package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// A file of a cluster. While its server runs and knows of the backup, the file may change, shrink or disappear, and
/// the WAL of the capture makes it whole. Page checksums are verified while it is read.
package final class PostgresFile: CapturedBytes {
  static let pageBytes = Int(holdfast_postgres_page_bytes)
  /// The number of blocks in each file of a relation. Further blocks are in the next file.
  package static let blocksPerSegment: UInt64 = 131_072
  private static let rereadsMax = 20
  private static let patientPagesMax = 16

  private let handle: OpenFile
  private let plain: PlainBytes
  private let isLive: Bool
  private let isControl: Bool
  /// The number of the first block of the file within the relation; `nil` if its pages have no checksums.
  private let firstBlock: UInt64?
  /// Returns true if the WAL of the capture contains the record that ends at an LSN.
  private let isLogged: @Sendable (LogSequenceNumber) -> Bool
  private let found = Mutex<Set<UInt64>>([])

  /// - Parameters:
  ///   - path: relative to the source.
  ///   - isLogged: returns true if the WAL of the capture contains the record that ends at an LSN. Such a record
  ///     repairs a page that was torn.
  package init(
    _ handle: OpenFile, at path: Path, in cluster: PostgresCluster, before: FileStatus, attempt: Int,
    isLogged: @escaping @Sendable (LogSequenceNumber) -> Bool
  ) {
    self.handle = handle
    plain = PlainBytes(handle, before: before, attempt: attempt)
    isLive = cluster.isLive
    isControl = cluster.relative(path) == ControlFile.path
    let parts = cluster.parts(of: path) ?? []
    firstBlock =
      cluster.control.hasPageChecksums ? RelationFile(parts).map { UInt64($0.segment) * Self.blocksPerSegment } : nil
    self.isLogged = isLogged
  }

  /// Makes a file of a cluster whose server does not run.
  package convenience init(
    cold handle: OpenFile, at path: Path, in cluster: PostgresCluster, before: FileStatus, attempt: Int
  ) {
    self.init(handle, at: path, in: cluster, before: before, attempt: attempt) { _ in false }
  }

  /// The pages with a wrong checksum, in ascending order.
  package var badPages: [UInt64] { found.withLock { $0.sorted() } }

  package var mayShrink: Bool { isLive }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
    if isControl, offset == 0, buffer.count >= ControlFile.byteCount {
      let control = UnsafeMutableRawBufferPointer(rebasing: buffer[..<ControlFile.byteCount])
      guard try ControlFile.read(handle, into: control) != nil else {
        throw .unsound(handle.path)
      }
      return ControlFile.byteCount
    }
    let count = try handle.read(into: buffer, at: offset)
    guard let firstBlock, offset.isMultiple(of: UInt64(Self.pageBytes)) else { return count }
    for start in stride(from: 0, to: count - count % Self.pageBytes, by: Self.pageBytes) {
      let page = UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + Self.pageBytes])
      let number = (offset + UInt64(start)) / UInt64(Self.pageBytes)
      if !isSound(page, block: firstBlock + number) { try examine(page, number, block: firstBlock + number) }
    }
    return count
  }

  /// Reads a page with a wrong checksum again, because the server may have been writing it.
  private func examine(
    _ page: UnsafeMutableRawBufferPointer, _ number: UInt64, block: UInt64
  ) throws(SystemError) {
    for attempt in 0..<Self.rereadsMax {
      // This waits for a server that was interrupted in the middle of a write. If many pages are bad, that is not the
      // cause.
      if attempt > Self.rereadsMax / 2, badPages.count < Self.patientPagesMax { Pause.forAnotherThread() }
      let count = try handle.read(into: page, at: number * UInt64(Self.pageBytes))
      if count < page.count {
        // The file has become shorter than this page.
        UnsafeMutableRawBufferPointer(rebasing: page[count...]).initializeMemory(as: UInt8.self, repeating: 0)
        return
      }
      if isSound(page, block: block) { return }
    }
    if isLive, isLogged(Self.lsn(of: UnsafeRawBufferPointer(page))) { return }
    _ = found.withLock { $0.insert(number) }
  }

  /// Returns true if the checksum is right, or if the page is all zero, which means that it is new.
  private func isSound(_ page: UnsafeMutableRawBufferPointer, block: UInt64) -> Bool {
    let upper = page.loadUnaligned(fromByteOffset: 14, as: UInt16.self).littleEndian
    if upper == 0 { return page.allSatisfy { $0 == 0 } }
    let stored = page.loadUnaligned(fromByteOffset: 8, as: UInt16.self).littleEndian
    return stored == holdfast_postgres_checksum(page.baseAddress, UInt32(truncatingIfNeeded: block))
  }

  /// Returns the end of the record that last changed the page: two halves of 32 bits, the high one first.
  package static func lsn(of page: UnsafeRawBufferPointer) -> LogSequenceNumber {
    let high = page.loadUnaligned(fromByteOffset: 0, as: UInt32.self).littleEndian
    let low = page.loadUnaligned(fromByteOffset: 4, as: UInt32.self).littleEndian
    return LogSequenceNumber(UInt64(high) << 32 | UInt64(low))
  }

  package func nextData(from offset: UInt64, size: UInt64) throws(SystemError) -> Range<UInt64>? {
    try plain.nextData(from: offset, size: size)
  }

  package func verdict() throws(SystemError) -> CaptureVerdict {
    if !badPages.isEmpty { return .whole(.badPages) }
    return isLive ? .whole(.postgresBackup) : try plain.verdict()
  }

  package func extendedAttributes() throws(SystemError) -> [ExtendedAttribute] { try handle.extendedAttributes() }
}
