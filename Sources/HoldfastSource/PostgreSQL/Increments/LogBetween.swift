package import HoldfastModel

/// The log from the start of one backup of a cluster to the start of a later one.
package struct LogBetween: Sendable {
  package let start: LogSequenceNumber
  package let end: LogSequenceNumber
  package let timeline: UInt32
  package let system: SystemIdentifier
  package let segmentSize: WALSegmentSize

  package init(
    from start: LogSequenceNumber, to end: LogSequenceNumber, timeline: UInt32, system: SystemIdentifier,
    segmentSize: WALSegmentSize
  ) {
    (self.start, self.end, self.timeline) = (start, end, timeline)
    (self.system, self.segmentSize) = (system, segmentSize)
  }

  /// Passes the bytes of a segment to `body`, in order, in blocks of whole pages.
  package typealias Reader = (
    _ segment: WALFileName, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> Void

  /// The segments after that of the end in which the record that begins at the end may be completed.
  private static let segmentsAfter: UInt64 = 1

  /// Returns the blocks that the log may have changed. Every record from the start to the end is there, is complete by
  /// its checksum, and names the one before it.
  /// - Throws: `LogRefusal` if that cannot be told; errors of `read`.
  package func blocks(_ read: Reader) throws -> LoggedBlocks {
    let course = Course(self)
    let (first, last) = (segmentSize.number(of: start), segmentSize.number(of: end))
    for number in first...last + Self.segmentsAfter where !course.isComplete {
      guard let name = WALFileName(timeline: timeline, number: number, size: segmentSize) else {
        throw LogRefusal("the log has no segment \(number)")
      }
      try read(name) { bytes in try course.take(bytes, of: name, number: number) }
    }
    guard course.isComplete else { throw LogRefusal("the log has no record at \(end)") }
    return course.blocks
  }

  /// The state of the reading.
  private final class Course {
    private let log: LogBetween
    private var parser: WALParser?
    private(set) var blocks = LoggedBlocks()
    private var hasBegun = false
    /// True if the record at the end was seen.
    private(set) var isComplete = false
    private var refusal: LogRefusal?
    /// The bits of an image's head that tell that it is compressed.
    private var compressed: UInt8 = 0

    init(_ log: LogBetween) { self.log = log }

    func take(_ bytes: UnsafeRawBufferPointer, of name: WALFileName, number: UInt64) throws {
      if parser == nil { parser = try begin(bytes, name, number) }
      guard !isComplete else { return }
      parser?.parse(bytes)
      if let refusal { throw refusal }
      guard !isComplete, let stop = parser?.stop else { return }
      throw LogRefusal("the log cannot be followed beyond \(stop), in \(name)")
    }

    private func begin(_ bytes: UnsafeRawBufferPointer, _ name: WALFileName, _ number: UInt64) throws -> WALParser {
      guard let header = WALPageHeader(bytes), let segment = header.segment, segment.system == log.system,
        segment.size == log.segmentSize
      else { throw LogRefusal("\(name) does not begin as a segment of this cluster does") }
      guard let compressed = WALVersion.compressionFlags(header.magic) else {
        throw LogRefusal("\(name) is of a version of PostgreSQL whose records are not understood")
      }
      self.compressed = compressed
      let start = log.segmentSize.start(of: number)
      return WALParser(segment, from: start, on: log.timeline) { [weak self] in self?.take($0) ?? false }
    }

    private func take(_ record: WALRecord) -> Bool {
      guard !isComplete, record.start >= log.start else { return true }
      if !hasBegun, record.start > log.start { return refuse(LogRefusal("the log has no record at \(log.start)")) }
      hasBegun = true
      guard record.start < log.end else {
        if record.start > log.end { return refuse(LogRefusal("the log has no record at \(log.end)")) }
        isComplete = true
        return true
      }
      do throws(LogRefusal) {
        try blocks.add(record, compressed: compressed)
        return true
      } catch {
        return refuse(error)
      }
    }

    private func refuse(_ refusal: LogRefusal) -> Bool {
      self.refusal = refusal
      return false
    }
  }
}
