package import HoldfastModel
package import HoldfastSystem

/// The write-ahead log that makes the capture of a cluster consistent.
struct CapturedLog {
  /// The effects of the log's records outside of the log.
  struct Effects {
    /// The database directories that were copied. The contents of the copies are only in the directories, not in the
    /// log.
    fileprivate(set) var copies: [WALParser.DatabaseCopy] = []
    /// The tablespaces that were made in directories of the machine. A server that replays the log makes them there
    /// again.
    fileprivate(set) var tablespaces: [WALTablespace] = []
  }

  let start: LogSequenceNumber
  let stop: LogSequenceNumber
  let timeline: UInt32
  let system: UInt64
  let segmentBytes: UInt64

  private static let blockBytes = 1 << 20

  private var isOpenEnded: Bool { stop.value == .max }

  /// Reads the records of the log from the start to the stop of the backup.
  /// - Parameter segments: the segments in order, beginning with the segment of the start.
  /// - Throws: `PostgresFailure` if the log is not complete, or not of this cluster.
  func follow(_ segments: [(path: Path, file: OpenFile)]) throws -> Effects {
    let (effects, end) = try parse(segments)
    guard let end, end >= stop else {
      throw PostgresFailure(
        "the WAL of the capture ends at \(end.map { "\($0)" } ?? "its start"), before the backup did, at \(stop)",
        hint:
          "Look at what PostgreSQL's log says of pg_wal, and at the disk that it lies on; then run the same command again."
      )
    }
    return effects
  }

  /// - Returns: the effects of the records, and the end of the last one: at the stop, or where the log becomes invalid
  ///   before.
  fileprivate func parse(
    _ segments: some Sequence<(path: Path, file: OpenFile)>
  ) throws -> (effects: Effects, end: LogSequenceNumber?) {
    let block = Buffer(capacity: Self.blockBytes)
    var effects = Effects()
    var parser: WALParser?
    for (path, file) in segments where parser?.stop == nil {
      // A log without a stop is read as far as it goes. After its end, there are segments that the server will reuse.
      let mayEnd = isOpenEnded && parser != nil
      guard let header = try mayEnd ? try? header(of: file, path, block) : header(of: file, path, block) else { break }
      var offset: UInt64 = 0
      if parser == nil {
        offset = start.value % segmentBytes / UInt64(header.pageSize) * UInt64(header.pageSize)
        let first = LogSequenceNumber(start.value - start.value % segmentBytes + offset)
        parser = WALParser(header, from: first) { demand in
          guard case .tablespace(let tablespace) = demand, !tablespace.directory.isEmpty,
            tablespace.lsn >= start
          else { return }
          effects.tablespaces.append(tablespace)
        } onEvent: { _ in
        }
      }
      while offset < segmentBytes, let end = parser?.end, end < stop, parser?.stop == nil {
        let count = try file.read(into: block.bytes, at: offset)
        guard count > 0 else { break }
        parser?.parse(UnsafeRawBufferPointer(rebasing: block.bytes[..<count]))
        offset += UInt64(count)
      }
    }
    effects.copies = parser?.databaseCopies ?? []
    return (effects, parser?.reach)
  }

  private func header(of file: OpenFile, _ path: Path, _ block: Buffer) throws -> WALPageHeader.Segment {
    let count = try file.read(
      into: UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<WALPageHeader.longCount]), at: 0)
    let head = UnsafeRawBufferPointer(rebasing: block.bytes[..<count])
    guard let name = WALFileName(String(decoding: path.lastComponent, as: UTF8.self)) else {
      throw PostgresFailure("\(path) is no name of a segment", hint: nil)
    }
    let header = try WALFile.checkSegment(name, head: head, size: file.status().size, path: path)
    guard header.system == SystemIdentifier(system), header.size.bytes == segmentBytes else {
      throw PostgresFailure("\(path) belongs to another cluster", hint: nil)
    }
    return header
  }
}

extension PostgresCluster {
  /// Returns the tablespaces that a server makes when it starts on this cluster, if it was not shut down: those that
  /// were made since its last checkpoint. The server makes each in its original directory, wherever the cluster was
  /// restored to.
  /// - Parameter source: the root of the source.
  /// - Returns: the tablespaces, as far as the log can be read.
  package func tablespacesOfRecovery(
    in source: OpenFile, files: FileSystem, cancellation: Cancellation
  ) -> [WALTablespace] {
    let all = log.compactMap { WALFileName(String(decoding: $0.name, as: UTF8.self)) }
      .filter { $0.kind == .segment && $0.timeline >= control.timeline }.sorted { $0.text < $1.text }
    // A segment of a later timeline begins with the contents of the earlier one.
    let segments = Dictionary(all.map { ($0.text.dropFirst(8), $0) }) { $1 }.values
      .sorted { $0.text.dropFirst(8) < $1.text.dropFirst(8) }
    guard let directory = try? files.open(root.appending("pg_wal"), in: source, .directoryFollowingLinks),
      let size = log.first(where: { file in segments.first.map { file.name.elementsEqual($0.text.utf8) } ?? false })?
        .size,
      let segmentSize = WALSegmentSize(size),
      let first = segments.firstIndex(where: { $0.number(segmentSize) == control.redo.value / size })
    else { return [] }
    let following = segments[first...].lazy.compactMap { name in
      cancellation.isRaised
        ? nil : (try? files.openForCapture(Path(name.text), in: directory)).map { (path: Path(name.text), file: $0) }
    }
    let captured = CapturedLog(
      start: control.redo, stop: LogSequenceNumber(.max), timeline: control.timeline, system: control.system,
      segmentBytes: size)
    return (try? captured.parse(following).effects.tablespaces) ?? []
  }
}
