package import HoldfastModel

/// Parses the records of a WAL page by page, across segments. The bytes may be anything. Where they are not as
/// PostgreSQL writes them, the parser stops and reports it, and nothing after that counts.
package struct WALParser {
  /// A record whose bytes are being collected.
  private struct Pending {
    let start: LogSequenceNumber
    let total: Int
    var received = 0
    /// The beginning of the record, as far as it is needed.
    var kept: [UInt8] = []
    var head: WALRecordHead?
    var checksum = CRC32C()

    /// Keeps the needed part of `bytes`, which follow those already received.
    mutating func keep(_ bytes: UnsafeRawBufferPointer) {
      guard kept.count < WALRecordBody.neededCount, kept.count >= received else { return }
      kept.append(contentsOf: bytes.dropFirst(kept.count - received).prefix(WALRecordBody.neededCount - kept.count))
    }
  }

  private let pageSize: Int
  private let segment: WALPageHeader.Segment
  /// Called for every event, in the order of the log.
  private let onEvent: (WALEvent) -> Void
  private let onDemand: (WALDemand) -> Void
  private let onRecord: ((WALRecord) -> Bool)?
  private let timeline: UInt32?
  private var next: LogSequenceNumber
  private var isFirstPage = true
  private var pending: Pending?
  /// The bytes still to come of a record that began before the parsed log.
  private var foreignCount = 0
  /// After a switch of segments, nothing counts before this position.
  private var resumesAt = LogSequenceNumber(0)

  /// A database directory that was copied as files: by `ALTER DATABASE … SET TABLESPACE`, and by `CREATE DATABASE`
  /// unless that writes all pages to the log.
  package struct DatabaseCopy: Hashable, Sendable {
    let origin: DatabaseLocator
    let copy: DatabaseLocator
  }

  /// The most copies that are kept.
  private static let databaseCopiesMax = 1 << 16
  /// The copies in the order of the log.
  private(set) var databaseCopies: [DatabaseCopy] = []

  /// The start of the last complete record that began in the parsed log; `nil` if there is none.
  package private(set) var lastRecord: LogSequenceNumber?
  /// The end of the last record that is complete by its checksum. After a crash there may be heads of records that were
  /// never completed.
  package private(set) var end: LogSequenceNumber
  /// The position before which the log is complete: behind a segment switch, the beginning of the next segment.
  package var reach: LogSequenceNumber { max(end, resumesAt) }
  /// The position at which the log became invalid; `nil` if it did not.
  package private(set) var stop: LogSequenceNumber?

  /// The start of a record that is not complete yet; `nil` if there is none.
  package var openRecord: LogSequenceNumber? { stop == nil ? pending?.start : nil }

  /// True if that record may require something of the server that replays it.
  package var mayDemand: Bool { openRecord != nil && pending?.head?.meaning.isDemand ?? true }

  /// - Parameters:
  ///   - segment: the fields in the header of the first page.
  ///   - start: the position of the first page in the log.
  ///   - onDemand: called for every record that requires something of the server that replays it.
  package init(
    _ segment: WALPageHeader.Segment, from start: LogSequenceNumber, onDemand: @escaping (WALDemand) -> Void = { _ in },
    onEvent: @escaping (WALEvent) -> Void
  ) {
    self.segment = segment
    (timeline, onRecord) = (nil, nil)
    self.onEvent = onEvent
    self.onDemand = onDemand
    pageSize = segment.pageSize
    next = start
    end = start
  }

  /// - Parameters:
  ///   - timeline: the timeline that every page must be of.
  ///   - onRecord: called for every record. If it returns false, the record is not understood, and the log is invalid
  ///     from there on.
  init(
    _ segment: WALPageHeader.Segment, from start: LogSequenceNumber, on timeline: UInt32,
    onRecord: @escaping (WALRecord) -> Bool
  ) {
    self.segment = segment
    (self.timeline, self.onRecord) = (timeline, onRecord)
    (onEvent, onDemand) = ({ _ in }, { _ in })
    pageSize = segment.pageSize
    next = start
    end = start
  }

  /// Parses the next pages of the log.
  /// - Parameter bytes: whole pages. An incomplete page at the end is ignored.
  package mutating func parse(_ bytes: UnsafeRawBufferPointer) {
    var offset = 0
    while offset + pageSize <= bytes.count, stop == nil {
      parse(page: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + pageSize]))
      offset += pageSize
    }
  }

  private mutating func parse(page: UnsafeRawBufferPointer) {
    let address = next
    let (following, isOver) = address.value.addingReportingOverflow(UInt64(pageSize))
    defer { next = LogSequenceNumber(following) }
    if isOver { return halt(address) }
    if address < resumesAt { return }
    let startsSegment = address.value.isMultiple(of: segment.size.bytes)
    guard let header = WALPageHeader(page), WALVersion.isUnderstood(header.magic), header.address == address,
      timeline ?? header.timeline == header.timeline,
      startsSegment ? header.segment == segment : header.segment == nil
    else { return halt(address) }
    guard var position = resume(header, page) else { return halt(address) }
    while position < pageSize, pending == nil, stop == nil, next >= resumesAt {
      guard let after = beginRecord(page, at: position, LogSequenceNumber(address.value + UInt64(position))) else {
        return
      }
      position = after
    }
  }

  private mutating func halt(_ lsn: LogSequenceNumber) { stop = lsn }

  /// Takes the part of a page that belongs to a record from the pages before.
  /// - Returns: the offset of the next record; `nil` if the page is invalid.
  private mutating func resume(_ header: WALPageHeader, _ page: UnsafeRawBufferPointer) -> Int? {
    defer { isFirstPage = false }
    if header.flags.contains(.overwrites) {
      (pending, foreignCount) = (nil, 0)
      // The record here follows the one before the unfinished record, whatever that was.
      return header.flags.contains(.continuation) ? nil : header.count
    }
    guard header.flags.contains(.continuation) else { return pending == nil && foreignCount == 0 ? header.count : nil }
    let remaining = Int(header.remaining)
    guard remaining > 0, remaining <= Int(WALRecordHead.totalMax) else { return nil }
    let here = min(remaining, pageSize - header.count)
    if let pending {
      guard remaining == pending.total - pending.received else { return nil }
      let piece = UnsafeRawBufferPointer(rebasing: page[header.count..<header.count + here])
      guard receive(piece, upTo: LogSequenceNumber(header.address.value + UInt64(header.count + here))) else {
        return nil
      }
    } else {
      guard isFirstPage || remaining == foreignCount else { return nil }
      foreignCount = remaining - here
      let rest = UnsafeRawBufferPointer(rebasing: page[header.count...])
      if isFirstPage, header.segment != nil, Self.isSwitchTail(rest, count: remaining) {
        endSegment(at: LogSequenceNumber(header.address.value + UInt64(header.count + here)))
      }
    }
    return Self.aligned(header.count + here)
  }

  /// Returns true if a segment begins with the end of a segment switch from the one before, and is otherwise empty: the
  /// last one or two thirds of a record head, and zeros.
  /// - Parameters:
  ///   - bytes: the page without its header.
  ///   - count: the number of these bytes that belong to the record from before.
  private static func isSwitchTail(_ bytes: UnsafeRawBufferPointer, count: Int) -> Bool {
    (count == 8 || count == 16) && WALRecordHead.isSwitch(infoOn: bytes[(count - 8)...])
      && bytes[count...].allSatisfy { $0 == 0 }
  }

  /// Skips the bytes between a switch and the next segment, which are not log.
  private mutating func endSegment(at end: LogSequenceNumber) {
    self.end = LogSequenceNumber((end.value &+ 7) & ~7)
    // The next segment is counted as the server does it: from the end of the record, which may be in the next segment.
    resumesAt = segment.size.start(of: segment.size.number(of: LogSequenceNumber(self.end.value &- 1)) &+ 1)
  }

  private static func aligned(_ position: Int) -> Int { (position + 7) & ~7 }

  /// - Returns: the offset of the next record; `nil` if the log ends here.
  private mutating func beginRecord(
    _ page: UnsafeRawBufferPointer, at position: Int, _ lsn: LogSequenceNumber
  ) -> Int? {
    let total: UInt32 = page.littleEndian(at: position)
    guard total >= UInt32(WALRecordHead.count), total <= WALRecordHead.totalMax else {
      halt(lsn)
      return nil
    }
    if Int(total) <= pageSize - position {
      let record = UnsafeRawBufferPointer(rebasing: page[position..<position + Int(total)])
      guard takeWhole(record, at: lsn) else {
        halt(lsn)
        return nil
      }
      return Self.aligned(position + Int(total))
    }
    pending = Pending(start: lsn, total: Int(total))
    let here = min(Int(total), pageSize - position)
    let piece = UnsafeRawBufferPointer(rebasing: page[position..<position + here])
    guard receive(piece, upTo: LogSequenceNumber(lsn.value + UInt64(here))) else {
      halt(lsn)
      return nil
    }
    return Self.aligned(position + here)
  }

  /// Takes a record that lies on one page, as most do.
  /// - Returns: false if it is invalid.
  private mutating func takeWhole(_ bytes: UnsafeRawBufferPointer, at lsn: LogSequenceNumber) -> Bool {
    let head = WALRecordHead(bytes)
    guard follows(head, lsn) else { return false }
    var checksum = CRC32C()
    checksum.add(UnsafeRawBufferPointer(rebasing: bytes[WALRecordHead.count...]))
    checksum.add(UnsafeRawBufferPointer(rebasing: bytes[..<WALRecordHead.checksumOffset]))
    guard checksum.value == head.checksum else { return false }
    return finish(head, bytes, from: lsn, to: LogSequenceNumber(lsn.value + UInt64(bytes.count)))
  }

  /// Returns true if a record names the one before it as the one before it.
  private func follows(_ head: WALRecordHead, _ start: LogSequenceNumber) -> Bool {
    lastRecord.map { $0 == head.previous } ?? (head.previous < start)
  }

  /// Adds bytes to the pending record, and completes it with its last byte.
  /// - Returns: false if it is invalid.
  private mutating func receive(_ bytes: UnsafeRawBufferPointer, upTo end: LogSequenceNumber) -> Bool {
    guard var record = pending else { return false }
    pending = nil
    record.keep(bytes)
    if record.head == nil, record.kept.count >= WALRecordHead.count {
      let head = record.kept.withUnsafeBytes { WALRecordHead($0) }
      guard follows(head, record.start) else { return false }
      record.head = head
    }
    let before = record.received
    record.received += bytes.count
    if record.head != nil {
      record.checksum.add(UnsafeRawBufferPointer(rebasing: bytes[max(0, WALRecordHead.count - before)...]))
    }
    guard record.received == record.total else {
      pending = record
      return true
    }
    guard let head = record.head, isWhole(record, head) else { return false }
    return record.kept.withUnsafeBytes { finish(head, $0, from: record.start, to: end) }
  }

  private func isWhole(_ record: Pending, _ head: WALRecordHead) -> Bool {
    var checksum = record.checksum
    record.kept.withUnsafeBytes {
      checksum.add(UnsafeRawBufferPointer(rebasing: $0[..<WALRecordHead.checksumOffset]))
    }
    return checksum.value == head.checksum
  }

  /// - Parameter bytes: the record, as far as it was kept.
  private mutating func finish(
    _ head: WALRecordHead, _ bytes: UnsafeRawBufferPointer, from start: LogSequenceNumber, to end: LogSequenceNumber
  ) -> Bool {
    if let onRecord, !onRecord(WALRecord(head: head, start: start, bytes: bytes)) { return false }
    switch head.meaning {
    case .transactionEnd, .restorePoint:
      guard let event = WALRecordBody.event(bytes, head, at: start) else { return false }
      onEvent(event)
    case .parameterChange, .tablespace:
      guard let demand = WALRecordBody.demand(bytes, head, at: start) else { return false }
      onDemand(demand)
    case .segmentSwitch: endSegment(at: end)
    case .databaseCopy:
      guard let copy = WALRecordBody.databaseCopy(bytes), databaseCopies.count < Self.databaseCopiesMax else {
        return false
      }
      databaseCopies.append(copy)
    case .other: break
    }
    lastRecord = start
    self.end = LogSequenceNumber((end.value &+ 7) & ~7)
    return true
  }
}
