internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// What an archived file of the log holds, as far as its records can be followed.
struct FollowedLog {
  let facts: WALFacts.Log
  /// Where its records cannot be followed any more; `nil` where they can be to its end.
  let stop: LogSequenceNumber?

  /// More restore points, or demands, than any file has: whoever writes so many shall not exhaust the one that reads them.
  private static let notesMax = 1 << 16

  init(facts: WALFacts.Log, stop: LogSequenceNumber?) { (self.facts, self.stop) = (facts, stop) }

  /// Reads all of a file.
  init(reading file: WALFileName, in inventory: WALInventory) throws {
    self = try inventory.firstSound(of: file) { archived in
      let notes = WALSurvey.Notes(pointsMax: Self.notesMax, demandsMax: Self.notesMax)
      var parser = try inventory.parser(of: archived, onDemand: { notes.add($0) }, onEvent: { notes.add($0) })
      try inventory.archive.read(archived) { parser.parse($0) }
      guard !notes.isOverfull else {
        throw EngineError(
          "\(file) of \(inventory.archive.source) has more than \(Self.notesMax) restore points or changes of settings",
          hint: "Restore the snapshot as it was captured, without --to-….")
      }
      return FollowedLog(facts: notes.facts(parser), stop: parser.stop)
    }
  }

  /// About how much memory it takes.
  var bytes: Int {
    // About so many: a name in two tables, and the numbers.
    let itself = 512
    let demands = facts.demands ?? WALDemands()
    return itself + facts.restorePoints.count * 192
      + demands.tablespaces.reduce(0) { $0 + 128 + $1.location.utf8.count } + demands.parameters.count * 1024
  }
}

extension WALInventory {
  /// Follows records from the beginning of a file.
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
