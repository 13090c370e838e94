package import HoldfastModel

/// The reason why a file cannot be archived as a WAL file.
package struct WALFileError: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package var exitStatus: ExitStatus { .failed }
  package var scope: ErrorScope { .machine }

  init(_ path: Path, _ finding: String) {
    message = "\(path) is not a file of a write-ahead log that can be archived: \(finding)"
    hint = "Nothing was stored. Look at what PostgreSQL's log says of it, and at the disk that it lies on."
  }
}

/// Checks that a file that PostgreSQL hands over for archiving has the content that its name promises.
package enum WALFile {
  /// The most bytes of a file that is not a segment, such as a timeline history.
  package static let textBytesMax = 1 << 20
  private static let noteBeginning = Array("START WAL LOCATION: ".utf8)

  /// Checks the beginning of a segment against its name.
  /// - Parameters:
  ///   - head: the first bytes of the file, at least 40 if it has so many.
  ///   - size: the size of the file in bytes.
  package static func checkSegment(
    _ name: WALFileName, head: UnsafeRawBufferPointer, size: UInt64, path: Path
  ) throws(WALFileError) -> WALPageHeader.Segment {
    guard let header = WALPageHeader(head), let segment = header.segment else {
      throw WALFileError(path, "it does not begin with a page of a write-ahead log (PostgreSQL 12 or later)")
    }
    guard size == segment.size.bytes else {
      throw WALFileError(path, "it has \(size) bytes, and the segments of its cluster have \(segment.size.bytes)")
    }
    guard let number = name.number(segment.size) else {
      throw WALFileError(path, "a cluster with segments of \(segment.size.bytes) bytes has none of this name")
    }
    guard header.address == segment.size.start(of: number) else {
      throw WALFileError(
        path, "it begins at \(header.address) of the log, and its name says \(segment.size.start(of: number))")
    }
    // The first segment of a timeline begins with the contents of the timeline before.
    guard header.timeline <= name.timeline else {
      throw WALFileError(path, "it belongs to timeline \(header.timeline), and its name says \(name.timeline)")
    }
    return segment
  }

  /// Returns true if the last page of a segment belongs to it. A segment that the server is still writing ends with
  /// zeros, or with pages of an older segment.
  /// - Parameter page: the beginning of the page.
  package static func isLastPage(
    _ page: UnsafeRawBufferPointer, of number: UInt64, _ segment: WALPageHeader.Segment
  ) -> Bool {
    guard let header = WALPageHeader(page) else { return false }
    return header.address.value == segment.size.start(of: number).value + segment.size.bytes - UInt64(segment.pageSize)
  }

  /// Checks the contents of a backup history file or a timeline history.
  package static func checkText(_ name: WALFileName, _ bytes: [UInt8], path: Path) throws(WALFileError) {
    switch name.kind {
    case .backupNote:
      guard bytes.starts(with: noteBeginning) else {
        throw WALFileError(path, "it does not begin as the note of a backup does")
      }
    case .timelineHistory:
      guard TimelineHistory(bytes, of: name.timeline) != nil else {
        throw WALFileError(path, "it is not the history of timeline \(name.timeline)")
      }
    case .segment, .partialSegment, .unfinishedSegment: break
    }
  }
}

/// The history of a timeline: the timelines before it, each with its end.
package struct TimelineHistory: Hashable, Sendable {
  package struct Step: Hashable, Sendable {
    package let timeline: UInt32
    /// The position from which the next timeline counts.
    package let end: LogSequenceNumber
  }

  package let timeline: UInt32
  /// The steps, the oldest first; empty for the first timeline of a cluster.
  package let steps: [Step]

  /// Makes the history of the first timeline, which has no history file.
  package init(first timeline: UInt32) {
    self.timeline = timeline
    steps = []
  }

  /// Parses lines with a timeline, a position and a reason, in ascending order; `nil` if this is not a history of that
  /// timeline.
  package init?(_ bytes: [UInt8], of timeline: UInt32) {
    var steps: [Step] = []
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(whereSeparator: { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") })
      guard let first = fields.first, first.first != UInt8(ascii: "#") else { continue }
      guard fields.count >= 2, let number = UInt32(String(decoding: first, as: UTF8.self)), number > 0,
        let end = LogSequenceNumber(String(decoding: fields[1], as: UTF8.self)),
        steps.last.map({ $0.timeline < number }) ?? true
      else { return nil }
      steps.append(Step(timeline: number, end: end))
    }
    guard let last = steps.last, last.timeline < timeline else { return nil }
    self.timeline = timeline
    self.steps = steps
  }

  /// Returns the timelines of this history that may have the segment with this number, the newest first. At a switch,
  /// the newer timeline contains what the older one had.
  package func timelines(holding number: UInt64, _ size: WALSegmentSize) -> [UInt32] {
    var begin: UInt64 = 0
    var found: [UInt32] = []
    for step in steps {
      if begin <= number, number <= size.number(of: step.end) { found.append(step.timeline) }
      begin = size.number(of: step.end)
    }
    if begin <= number { found.append(timeline) }
    return found.reversed()
  }

  /// Returns true if a snapshot that was taken on a timeline, up to `stop`, is part of this history.
  package func contains(_ other: UInt32, upTo stop: LogSequenceNumber) -> Bool {
    other == timeline || steps.contains { $0.timeline == other && stop <= $0.end }
  }
}

/// The beginning of a cluster's `global/pg_control`.
package enum ClusterControl {
  package static let path = ControlFile.path
  package static let byteCount = 16

  /// Returns the data directory to which a control file belongs; `nil` if the path is not that of a control file.
  package static func cluster(of file: Path) -> Path? {
    guard let cluster = file.parent?.parent, cluster.appending(path.bytes) == file else { return nil }
    return cluster
  }

  /// Returns the system identifier of the cluster; `nil` if this is not a control file of PostgreSQL 12 or later.
  package static func system(_ bytes: UnsafeRawBufferPointer) -> SystemIdentifier? {
    guard bytes.count >= byteCount else { return nil }
    let version: UInt32 = bytes.littleEndian(at: 8)
    let system: UInt64 = bytes.littleEndian(at: 0)
    return (1200...2999).contains(version) && system > 0 ? SystemIdentifier(system) : nil
  }
}
