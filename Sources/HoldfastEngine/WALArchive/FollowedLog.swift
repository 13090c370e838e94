internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The contents of an archived WAL file, as far as its records can be parsed.
struct FollowedLog {
  let facts: WALFacts.Log
  /// The position at which the records become invalid; `nil` if all can be parsed.
  let stop: LogSequenceNumber?

  /// The most restore points, and the most requirements, that are read from one file. No file of a server has so many,
  /// and a forged one must not exhaust the reader's memory.
  private static let notesMax = 1 << 16

  init(facts: WALFacts.Log, stop: LogSequenceNumber?) { (self.facts, self.stop) = (facts, stop) }

  /// Reads a whole file.
  init(reading file: WALFileName, in inventory: WALInventory) throws {
    self = try inventory.firstSound(of: file) { archived in
      let notes = WALSurvey.Notes(pointsMax: Self.notesMax, demandsMax: Self.notesMax)
      var parser = try inventory.parser(of: archived, onDemand: { notes.add($0) }, onEvent: { notes.add($0) })
      try inventory.archive.read(archived) { parser.parse($0) }
      guard !notes.isOverfull else {
        throw EngineError(
          .usage,
          "\(file) of \(inventory.archive.source) has more than \(Self.notesMax) restore points or changes of settings",
          hint: "Restore the snapshot as it was captured, without --to-….")
      }
      return FollowedLog(facts: notes.facts(parser), stop: parser.stop)
    }
  }

  /// The memory that this takes, in bytes, approximately.
  var bytes: Int {
    // An estimate: a name in two tables, and the numbers.
    let itself = 512
    let demands = facts.demands ?? WALDemands()
    return itself + facts.restorePoints.count * 192
      + demands.tablespaces.reduce(0) { $0 + 128 + $1.location.utf8.count } + demands.parameters.count * 1024
  }
}

extension WALInventory {
  /// Parses records from the beginning of a file.
  func parser(
    of archived: ArchivedWAL, onDemand: @escaping (WALDemand) -> Void, onEvent: @escaping (WALEvent) -> Void
  ) throws -> WALParser {
    let header = try header(of: archived)
    return WALParser(
      header, from: header.size.start(of: archived.file.number(header.size) ?? 0), onDemand: onDemand, onEvent: onEvent)
  }

  func header(of archived: ArchivedWAL) throws -> WALPageHeader.Segment {
    let head = try archive.read(0..<UInt64(WALPageHeader.longCount), of: archived)
    return try head.withUnsafeBytes {
      try WALFile.checkSegment(
        archived.file, head: $0, size: archived.manifest.size, path: Path(archived.manifest.objectKey))
    }
  }
}
