package import HoldfastModel

/// Follows the records of a write-ahead log through its pages, in order, also from one segment into the next. The bytes may be anything: what is not as
/// PostgreSQL writes it is where the parser ends, and says so; nothing is believed beyond it.
package struct WALParser {
  /// A record whose bytes are being collected.
  private struct Pending {
    let start: LogSequenceNumber
    let total: Int
    var received = 0
    /// Its beginning: all that is ever looked at.
    var kept: [UInt8] = []
    var head: WALRecordHead?
    var checksum = CRC32C()

    /// Keeps of the bytes that come behind those that were received what is looked at.
    mutating func keep(_ bytes: UnsafeRawBufferPointer) {
      let needed = head?.neededCount ?? WALRecordBody.neededCount
      guard kept.count < needed, kept.count >= received else { return }
      kept.append(contentsOf: bytes.dropFirst(kept.count - received).prefix(needed - kept.count))
    }
  }

  private let pageSize: Int
  private let segment: WALPageHeader.Segment
  /// Called for every event, in the order of the log.
  private let onEvent: (WALEvent) -> Void
  private let onDemand: (WALDemand) -> Void
  private var next: LogSequenceNumber
  private var isFirstPage = true
  private var pending: Pending?
  /// Bytes of a record that began before the first page.
  private var foreignCount = 0
  /// Behind a switch of segments nothing counts before this.
  private var resumesAt = LogSequenceNumber(0)

  /// A directory of a database that was copied as it lay there: `ALTER DATABASE … SET TABLESPACE`, and `CREATE DATABASE` but for those that write all pages to the log.
  package struct DatabaseCopy: Hashable, Sendable {
    let origin: DatabaseLocator
    let copy: DatabaseLocator
  }

  /// How many of them are kept.
  private static let databaseCopiesMax = 1 << 16
  /// In the order of the log.
  private(set) var databaseCopies: [DatabaseCopy] = []

  /// Where the last record begins that is complete and began in what was parsed.
  package private(set) var lastRecord: LogSequenceNumber?
  /// Behind the last record that is complete, by its checksum: what a crash leaves has heads whose records were never written.
  package private(set) var end: LogSequenceNumber
  /// Where the log stopped making sense; `nil` as long as it does.
  package private(set) var stop: LogSequenceNumber?

  /// A record that began and is not complete yet.
  package var openRecord: LogSequenceNumber? { stop == nil ? pending?.start : nil }

  /// Whether that record may ask something of the server that replays it.
  package var mayDemand: Bool { openRecord != nil && pending?.head?.meaning.isDemand ?? true }

  /// - Parameters:
  ///   - segment: of the header of the first page.
  ///   - start: where the first page lies in the log.
  ///   - onDemand: called for every record that asks something of the server that replays it.
  package init(
    _ segment: WALPageHeader.Segment, from start: LogSequenceNumber, onDemand: @escaping (WALDemand) -> Void = { _ in },
    onEvent: @escaping (WALEvent) -> Void
  ) {
    self.segment = segment
    self.onEvent = onEvent
    self.onDemand = onDemand
    pageSize = segment.pageSize
    next = start
    end = start
  }

  /// Takes the next pages of the log.
  /// - Parameter bytes: whole pages; what is behind the last one is left out.
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

  private mutating func halt(_ place: LogSequenceNumber) { stop = place }

  /// Takes what a page begins with of a record from the pages before.
  /// - Returns: where the next record begins; `nil` for what cannot be.
  private mutating func resume(_ header: WALPageHeader, _ page: UnsafeRawBufferPointer) -> Int? {
    defer { isFirstPage = false }
    if header.flags.contains(.overwrites) {
      (pending, foreignCount) = (nil, 0)
      // Whatever the unfinished record was, the one here follows the one before that.
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

  /// Whether a segment begins with the end of a switch of segments that began in the one before, and so is empty: the last third or two of a head, and zeros.
  /// - Parameters:
  ///   - bytes: of the page, behind its header.
  ///   - count: how many of them belong to the record from before.
  private static func isSwitchTail(_ bytes: UnsafeRawBufferPointer, count: Int) -> Bool {
    (count == 8 || count == 16) && WALRecordHead.isSwitch(infoOn: bytes[(count - 8)...])
      && bytes[count...].allSatisfy { $0 == 0 }
  }

  /// What lies behind a switch, up to the next segment, is no log.
  private mutating func endSegment(at end: LogSequenceNumber) {
    self.end = LogSequenceNumber((end.value &+ 7) & ~7)
    // As the server counts: from the end of the record, which may lie in the next segment.
    resumesAt = segment.size.start(of: segment.size.number(of: LogSequenceNumber(self.end.value &- 1)) &+ 1)
  }

  private static func aligned(_ position: Int) -> Int { (position + 7) & ~7 }

  /// - Returns: where the next one begins; `nil` when the log ends here.
  private mutating func beginRecord(
    _ page: UnsafeRawBufferPointer, at position: Int, _ place: LogSequenceNumber
  ) -> Int? {
    let total: UInt32 = page.littleEndian(at: position)
    guard total >= UInt32(WALRecordHead.count), total <= WALRecordHead.totalMax else {
      halt(place)
      return nil
    }
    pending = Pending(start: place, total: Int(total))
    let here = min(Int(total), pageSize - position)
    let piece = UnsafeRawBufferPointer(rebasing: page[position..<position + here])
    guard receive(piece, upTo: LogSequenceNumber(place.value + UInt64(here))) else {
      halt(place)
      return nil
    }
    return Self.aligned(position + here)
  }

  /// Adds bytes to the pending record, and ends it with its last.
  /// - Returns: `false` when it is none.
  private mutating func receive(_ bytes: UnsafeRawBufferPointer, upTo end: LogSequenceNumber) -> Bool {
    guard var record = pending else { return false }
    pending = nil
    record.keep(bytes)
    if record.head == nil, record.kept.count >= WALRecordHead.count {
      let head = record.kept.withUnsafeBytes { WALRecordHead($0) }
      guard lastRecord.map({ $0 == head.previous }) ?? (head.previous < record.start) else { return false }
      record.head = head
      // Only the head tells how much of the piece that brought it is wanted.
      record.keep(bytes)
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
    return finish(record, at: end)
  }

  private func isWhole(_ record: Pending, _ head: WALRecordHead) -> Bool {
    var checksum = record.checksum
    record.kept.withUnsafeBytes {
      checksum.add(UnsafeRawBufferPointer(rebasing: $0[..<WALRecordHead.checksumOffset]))
    }
    return checksum.value == head.checksum
  }

  private mutating func finish(_ record: Pending, at end: LogSequenceNumber) -> Bool {
    guard let head = record.head, isWhole(record, head) else { return false }
    switch head.meaning {
    case .transactionEnd, .restorePoint:
      guard let event = record.kept.withUnsafeBytes({ WALRecordBody.event($0, head, at: record.start) })
      else { return false }
      onEvent(event)
    case .parameterChange, .tablespace:
      guard let demand = record.kept.withUnsafeBytes({ WALRecordBody.demand($0, head, at: record.start) })
      else { return false }
      onDemand(demand)
    case .segmentSwitch: endSegment(at: end)
    case .databaseCopy:
      guard let copy = record.kept.withUnsafeBytes({ WALRecordBody.databaseCopy($0) }),
        databaseCopies.count < Self.databaseCopiesMax
      else { return false }
      databaseCopies.append(copy)
    case .other: break
    }
    lastRecord = record.start
    self.end = LogSequenceNumber((end.value &+ 7) & ~7)
    return true
  }
}
