internal import HoldfastModel
internal import HoldfastSystem

/// A record and the two numbers by which it is sorted.
struct SortableRecord {
  var high: UInt64
  var low: UInt64
  var payload: [UInt8]

  static func isBefore(_ left: SortableRecord, _ right: SortableRecord) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }
}

/// Sorts more records than fit into memory: beyond some MiB, sorted parts go to a scratch file, and are merged while
/// they are read.
final class RecordSorter {
  private struct Slot {
    let high: UInt64
    let low: UInt64
    let start: Int
    let count: Int
  }

  private static let payloadBytesMax = 1 << 20
  private let space: ScratchSpace
  private let memoryBytes: Int
  /// The payloads of the records in memory, one after the other, and the position of each.
  private var payloads: [UInt8] = []
  private var slots: [Slot] = []
  private var scratch: (any ScratchBytes)?
  /// The range of each sorted part in the scratch file.
  private var stretches: [Range<UInt64>] = []
  private var written: UInt64 = 0

  /// - Parameter memoryBytes: the memory for records; reading takes as much again.
  init(_ space: ScratchSpace, memoryBytes: Int) {
    self.space = space
    self.memoryBytes = memoryBytes
  }

  func append(_ record: SortableRecord) throws {
    slots.append(
      Slot(high: record.high, low: record.low, start: payloads.count, count: record.payload.count))
    payloads += record.payload
    if payloads.count + slots.count * MemoryLayout<Slot>.stride >= memoryBytes { try flush() }
  }

  /// Ends adding. The records can then be read any number of times.
  func finish() throws {
    if scratch == nil { return sort() }
    if !slots.isEmpty { try flush() }
    try scratch?.finish()
    (payloads, slots) = ([], [])
  }

  func makeReader() throws -> RecordReader {
    guard let scratch else {
      return try RecordReader([InMemory(payloads: payloads, slots: slots[...])])
    }
    let blockCount = min(64 << 10, max(4 << 10, memoryBytes / max(1, stretches.count)))
    return try RecordReader(
      stretches.map { stretch in
        OnDisk(
          cursor: ByteCursor(
            RangeSupply(scratch, from: stretch.lowerBound, to: stretch.upperBound, blockCount: blockCount)))
      })
  }

  private func sort() {
    slots.sort { ($0.high, $0.low) < ($1.high, $1.low) }
  }

  private func flush() throws {
    let file = try scratch ?? space.makeFile()
    scratch = file
    sort()
    let start = written
    var encoder = ByteEncoder()
    for slot in slots {
      encoder.varint(slot.high)
      encoder.varint(slot.low)
      encoder.counted(payloads[slot.start..<slot.start + slot.count])
      if encoder.bytes.count >= 64 << 10 { try write(&encoder, to: file) }
    }
    try write(&encoder, to: file)
    stretches.append(start..<written)
    payloads.removeAll(keepingCapacity: true)
    slots.removeAll(keepingCapacity: true)
  }

  private func write(_ encoder: inout ByteEncoder, to file: any ScratchBytes) throws {
    try encoder.bytes.withUnsafeBytes { try file.append($0) }
    written += UInt64(encoder.bytes.count)
    encoder.bytes.removeAll(keepingCapacity: true)
  }

  private struct InMemory: RecordStretch {
    let payloads: [UInt8]
    var slots: ArraySlice<Slot>

    mutating func next() -> SortableRecord? {
      slots.popFirst().map {
        SortableRecord(high: $0.high, low: $0.low, payload: Array(payloads[$0.start..<$0.start + $0.count]))
      }
    }
  }

  private struct OnDisk: RecordStretch {
    let cursor: ByteCursor

    mutating func next() throws -> SortableRecord? {
      guard try !cursor.isAtEnd() else { return nil }
      return SortableRecord(
        high: try cursor.varint(), low: try cursor.varint(),
        payload: try cursor.counted(max: RecordSorter.payloadBytesMax))
    }
  }
}

/// Supplies records in sorted order.
protocol RecordStretch {
  mutating func next() throws -> SortableRecord?
}

/// Merges sorted parts: it always gives the smallest of their next records.
struct RecordReader {
  private var stretches: [any RecordStretch]
  /// A heap with the smallest of the next records at its root.
  private var heap: [(record: SortableRecord, stretch: Int)] = []

  fileprivate init(_ stretches: [any RecordStretch]) throws {
    self.stretches = stretches
    for index in stretches.indices {
      guard let record = try self.stretches[index].next() else { continue }
      heap.append((record, index))
      rise(from: heap.count - 1)
    }
  }

  mutating func next() throws -> SortableRecord? {
    guard let (record, stretch) = heap.first else { return nil }
    if let following = try stretches[stretch].next() {
      heap[0] = (following, stretch)
    } else {
      heap.swapAt(0, heap.count - 1)
      heap.removeLast()
    }
    sink()
    return record
  }

  private func isBefore(_ left: Int, _ right: Int) -> Bool {
    SortableRecord.isBefore(heap[left].record, heap[right].record)
  }

  private mutating func rise(from start: Int) {
    var index = start
    while index > 0, isBefore(index, (index - 1) / 2) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private mutating func sink() {
    var index = 0
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count && isBefore(child, least) { least = child }
      if least == index { return }
      heap.swapAt(index, least)
      index = least
    }
  }
}
