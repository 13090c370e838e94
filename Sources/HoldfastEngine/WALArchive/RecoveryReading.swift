internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem

/// Reads the files of the log for what the stored facts do not contain.
extension RecoveryPath {
  /// The number of bytes at the beginning of the next file that contain the end of any record that can be an event.
  private static let headBytes: UInt64 = 256 << 10
  /// The most requirements that are collected. The log of no recovery has so many.
  private static let demandsMax = 1 << 14

  /// Passes the events in consecutive files of this path to `body`, in order.
  /// - Parameter indices: indices of `files`.
  /// - Throws: `EngineError` if the records become invalid before the last of these files.
  func forEachEvent(in indices: Range<Int>, _ body: @escaping (WALEvent) -> Void) throws {
    let name = files[indices.lowerBound]
    var parser = try inventory.parser(of: inventory.archived(name), onDemand: { _ in }, onEvent: body)
    for file in files[indices] {
      try inventory.archive.read(inventory.archived(file)) { parser.parse($0) }
    }
    let last = files[indices.upperBound - 1].number(size).map { size.start(of: $0) }
    if indices.count > 1, let stop = parser.stop, let last, stop <= last {
      throw EngineError(
        .repository, "the log that is archived cannot be followed beyond \(stop), in \(name)",
        hint: "Run `holdfast verify --data`; what lies before \(stop) can be reached with --to-lsn.",
        exitStatus: .dataLoss)
    }
  }

  /// Returns the first event in consecutive files that `fits`.
  func firstEvent(in indices: Range<Int>, where fits: @escaping (WALEvent) -> Bool) throws -> WALEvent? {
    var found: WALEvent?
    try forEachEvent(in: indices) { if found == nil, fits($0) { found = $0 } }
    return found
  }

  /// Returns the event whose record begins in a file and ends in the next one; `nil` if there is none.
  func openEvent(_ index: Int) throws -> WALEvent? {
    var found: WALEvent?
    try parseOpenRecord(index, onDemand: { _ in }, onEvent: { found = $0 })
    return found
  }

  /// Parses the record that begins in a file and ends in the next one.
  private func parseOpenRecord(
    _ index: Int, onDemand: @escaping (WALDemand) -> Void, onEvent: @escaping (WALEvent) -> Void
  ) throws {
    guard let lsn = try log(index).openRecord, let number = files[index].number(size) else { return }
    let archived = try inventory.archived(files[index])
    let header = try inventory.header(of: archived)
    let start = size.start(of: number)
    guard lsn >= start, lsn.value - start.value < size.bytes else { return }
    let page = (lsn.value - start.value) / UInt64(header.pageSize) * UInt64(header.pageSize)
    var parser = WALParser(
      header, from: LogSequenceNumber(start.value + page), onDemand: { if $0.lsn == lsn { onDemand($0) } },
      onEvent: { if $0.lsn == lsn { onEvent($0) } })
    let tail = try inventory.archive.read(page..<size.bytes, of: archived)
    let head = try inventory.archive.read(0..<Self.headBytes, of: inventory.archived(files[index + 1]))
    tail.withUnsafeBytes { parser.parse($0) }
    head.withUnsafeBytes { parser.parse($0) }
  }

  // MARK: Requirements

  /// Returns the requirements of the log for the server that replays it.
  /// - Parameters:
  ///   - start: the position before which the log is not replayed.
  ///   - last: the index of the last file that is read.
  /// - Throws: `EngineError` if the log has more requirements than `demandsMax`.
  func demands(from start: LogSequenceNumber, upTo last: Int) throws -> WALDemands {
    var found = WALDemands()
    for index in files.indices where index <= last {
      try inventory.archive.repository.host.cancellation.check()
      guard let noted = try log(index).demands else { continue }
      found.tablespaces += noted.tablespaces.filter { $0.lsn >= start }
      found.parameters += noted.parameters.filter { $0.lsn >= start }
      guard found.tablespaces.count + found.parameters.count <= Self.demandsMax else {
        throw EngineError(
          .usage,
          "the log of \(inventory.archive.source) up to \(files[index]) makes tablespaces and changes settings more than \(Self.demandsMax) times",
          hint: "Take a snapshot that was taken later, or restore one as it was captured, without --to-….")
      }
      guard noted.isOpen, index < last else { continue }
      try parseOpenRecord(index, onDemand: { if $0.lsn >= start { found.add($0) } }, onEvent: { _ in })
    }
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
