internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Where what was noted of a log does not decide, the log itself is read.
extension RecoveryPath {
  /// From the beginning of the next file on, enough for the end of any record that can be an event.
  private static let headBytes: UInt64 = 256 << 10

  /// What recovery meets in some consecutive files of this way.
  /// - Parameter indices: of `files`.
  /// - Throws: `EngineError` where their records are not understood.
  func events(in indices: Range<Int>) throws -> [WALEvent] {
    var events: [WALEvent] = []
    _ = try parse(indices) { events.append($0) }
    return events
  }

  /// What is in some consecutive files, read now.
  func survey(_ indices: Range<Int>) throws -> WALFacts.Log {
    let notes = WALSurvey.Notes(pointsMax: .max)
    return notes.facts(try parse(indices) { notes.add($0) })
  }

  private func parse(_ indices: Range<Int>, onEvent: @escaping (WALEvent) -> Void) throws -> WALParser {
    let name = files[indices.lowerBound]
    let header = try header(of: name)
    var parser = WALParser(header, from: size.start(of: name.number(size) ?? 0), onEvent: onEvent)
    for file in files[indices] {
      try inventory.archive.read(inventory.archived(file)) { parser.parse($0) }
    }
    if let stop = parser.stop {
      throw EngineError(
        "the log that is archived cannot be followed beyond \(stop), in \(name)",
        hint: "Run `holdfast verify --data`; what lies before \(stop) can be reached with --to-lsn.",
        exitStatus: .dataLoss)
    }
    return parser
  }

  private func header(of file: WALFileName) throws -> WALPageHeader.Segment {
    let archived = try inventory.archived(file)
    let head = try inventory.archive.read(0..<UInt64(WALPageHeader.longCount), of: archived)
    return try head.withUnsafeBytes {
      try WALFile.checkSegment(file, head: $0, size: archived.manifest.size, path: Path(archived.manifest.objectKey))
    }
  }

  /// The event whose record begins in a file and ends in the next one; `nil` where none does.
  func openEvent(_ index: Int) throws -> WALEvent? {
    guard let place = try log(index).openRecord, let number = files[index].number(size) else { return nil }
    let header = try header(of: files[index])
    let start = size.start(of: number)
    guard place >= start, place.value - start.value < size.bytes else { return nil }
    let page = (place.value - start.value) / UInt64(header.pageSize) * UInt64(header.pageSize)
    var found: WALEvent?
    var parser = WALParser(header, from: LogSequenceNumber(start.value + page)) { event in
      if event.place == place { found = event }
    }
    let tail = try inventory.archive.read(page..<size.bytes, of: inventory.archived(files[index]))
    let head = try inventory.archive.read(0..<Self.headBytes, of: inventory.archived(files[index + 1]))
    tail.withUnsafeBytes { parser.parse($0) }
    head.withUnsafeBytes { parser.parse($0) }
    return found
  }
}
