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
    _ = try parse(indices, onDemand: { _ in }, onEvent: { events.append($0) })
    return events
  }

  /// What is in some consecutive files, read now.
  func survey(_ indices: Range<Int>) throws -> WALFacts.Log {
    let notes = WALSurvey.Notes(pointsMax: .max, demandsMax: .max)
    return notes.facts(try parse(indices, onDemand: { notes.add($0) }, onEvent: { notes.add($0) }))
  }

  private func parse(
    _ indices: Range<Int>, onDemand: @escaping (WALDemand) -> Void, onEvent: @escaping (WALEvent) -> Void
  ) throws -> WALParser {
    let name = files[indices.lowerBound]
    let header = try header(of: name)
    var parser = WALParser(
      header, from: size.start(of: name.number(size) ?? 0), onDemand: onDemand, onEvent: onEvent)
    for file in files[indices] {
      try inventory.archive.read(inventory.archived(file)) { parser.parse($0) }
    }
    // Where the last file ends in the middle, so does recovery.
    if let stop = parser.stop, indices.upperBound < files.count {
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
    var found: WALEvent?
    try parseOpenRecord(index, onDemand: { _ in }, onEvent: { found = $0 })
    return found
  }

  /// Calls back for what the record is that begins in a file and ends in the next one.
  private func parseOpenRecord(
    _ index: Int, onDemand: @escaping (WALDemand) -> Void, onEvent: @escaping (WALEvent) -> Void
  ) throws {
    guard let place = try log(index).openRecord, let number = files[index].number(size) else { return }
    let header = try header(of: files[index])
    let start = size.start(of: number)
    guard place >= start, place.value - start.value < size.bytes else { return }
    let page = (place.value - start.value) / UInt64(header.pageSize) * UInt64(header.pageSize)
    var parser = WALParser(
      header, from: LogSequenceNumber(start.value + page), onDemand: { if $0.place == place { onDemand($0) } },
      onEvent: { if $0.place == place { onEvent($0) } })
    let tail = try inventory.archive.read(page..<size.bytes, of: inventory.archived(files[index]))
    let head = try inventory.archive.read(0..<Self.headBytes, of: inventory.archived(files[index + 1]))
    tail.withUnsafeBytes { parser.parse($0) }
    head.withUnsafeBytes { parser.parse($0) }
  }

  // MARK: What the log asks for

  /// What the log asks of the server that replays it.
  /// - Parameters:
  ///   - start: what lies before this is not replayed.
  ///   - last: index of the last file that is read.
  func demands(from start: LogSequenceNumber, upTo last: Int) throws -> WALDemands {
    var found = WALDemands()
    for index in files.indices where index <= last {
      try inventory.archive.repository.host.cancellation.check()
      guard let noted = try log(index).demands ?? survey(index..<index + 1).demands else { continue }
      found.tablespaces += noted.tablespaces
      found.parameters += noted.parameters
      guard noted.isOpen, index < last else { continue }
      try parseOpenRecord(index, onDemand: { found.add($0) }, onEvent: { _ in })
    }
    found.tablespaces.removeAll { $0.place < start }
    found.parameters.removeAll { $0.place < start }
    return found
  }
}

extension WALDemands {
  mutating func add(_ demand: WALDemand) {
    switch demand {
    case .tablespace(let made): tablespaces.append(made)
    case .parameters(let changed): parameters.append(changed)
    }
  }
}
