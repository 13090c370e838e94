internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The archived WAL of one cluster. File names are read at once, contents when they are first asked for. For one
/// thread.
final class WALInventory {
  let archive: WALArchive
  let system: SystemIdentifier
  /// The names of the archived files, in ascending order.
  let files: [WALFileName]
  /// The segment size of the cluster; `nil` if no segment is archived.
  let size: WALSegmentSize?
  /// The numbers of the segments by timeline, in ascending order.
  private(set) var numbers: [UInt32: [UInt64]] = [:]
  private let present: Set<WALFileName>
  private var knownLogs: [WALFileName: FollowedLog] = [:]
  private var knownHistories: [TimelineHistory]?
  /// The memory for facts about files, approximately. Facts beyond it are read again when they are needed.
  private static let knownBytesMax = 64 << 20
  private var knownBytes = 0

  init(_ archive: WALArchive, _ system: SystemIdentifier) throws {
    self.archive = archive
    self.system = system
    files = try archive.files(of: system)
    present = Set(files)
    size = try Self.segmentSize(files, archive, system)
    guard let size else { return }
    for file in files where file.kind == .segment {
      if let number = file.number(size) { numbers[file.timeline, default: []].append(number) }
    }
  }

  /// Returns the segment size, from the first manifest that can be read: all segments of a cluster have the same size.
  static func segmentSize(
    _ files: [WALFileName], _ archive: WALArchive, _ system: SystemIdentifier
  ) throws -> WALSegmentSize? {
    var damage: (any Error)?
    for file in files where file.isLog {
      do {
        if let size = try archive.find(file, of: system)?.manifest.segment { return size }
      } catch  where error.isDamage {
        damage = damage ?? error
      }
    }
    if let damage { throw damage }
    return nil
  }

  func contains(_ file: WALFileName) -> Bool { present.contains(file) }

  func archived(_ file: WALFileName) throws -> ArchivedWAL {
    guard let archived = try archive.find(file, of: system) else {
      throw DamageError(Keys.walManifest(archive.source, system, file), "it is missing")
    }
    return archived
  }

  /// Returns the contents of a file, as recorded when it was archived. If they were not recorded, the file is read now.
  func log(_ file: WALFileName) throws -> FollowedLog {
    if let known = knownLogs[file] { return known }
    let log: FollowedLog
    // Earlier versions recorded more of an unfinished segment than its complete records.
    if file.kind != .unfinishedSegment, let noted = try noted(file), noted.demands != nil {
      log = FollowedLog(facts: noted, stop: nil)
    } else {
      log = try FollowedLog(reading: file, in: self)
    }
    let bytes = log.bytes
    if knownBytes + bytes <= Self.knownBytesMax {
      knownBytes += bytes
      knownLogs[file] = log
    }
    return log
  }

  /// Returns the recorded facts about a file; `nil` if it was not understood when it was archived.
  func noted(_ file: WALFileName) throws -> WALFacts.Log? {
    if let known = knownLogs[file] { return known.facts }
    return try firstSound(of: file) { try archive.facts(of: $0).log }
  }

  /// Tries the copies of a file in order, until `body` succeeds with one.
  func firstSound<Value>(of file: WALFileName, _ body: (ArchivedWAL) throws -> Value) throws -> Value {
    guard let value = try archive.firstSound(of: file, system, body) else {
      throw DamageError(Keys.walManifest(archive.source, system, file), "it is missing")
    }
    return value
  }

  // MARK: Timelines

  /// Returns the histories of all archived timelines, in ascending order. The first timeline of a cluster has no
  /// history file.
  func histories() throws -> [TimelineHistory] {
    if let knownHistories { return knownHistories }
    var found: [UInt32: TimelineHistory] = [:]
    for file in files where file.kind == .segment || file.kind == .unfinishedSegment {
      found[file.timeline] = TimelineHistory(first: file.timeline)
    }
    for file in files where file.kind == .timelineHistory {
      let archived = try archived(file)
      var bytes: [UInt8] = []
      try archive.read(archived) { bytes += $0 }
      guard let history = TimelineHistory(bytes, of: file.timeline) else {
        throw DamageError(archived.manifest.objectKey, "it is not the history of timeline \(file.timeline)")
      }
      found[file.timeline] = history
    }
    let sorted = found.values.sorted { $0.timeline < $1.timeline }
    knownHistories = sorted
    return sorted
  }

  /// Returns the history of the newest timeline that contains `timeline` up to `stop`, so that it can continue a
  /// snapshot.
  func newestHistory(from timeline: UInt32, upTo stop: LogSequenceNumber) throws -> TimelineHistory {
    try histories().last { $0.contains(timeline, upTo: stop) } ?? TimelineHistory(first: timeline)
  }

  // MARK: Gaps

  /// Consecutive segments that are missing between others of their timeline.
  struct Gap: Hashable {
    let first: WALFileName
    let last: WALFileName
    let count: UInt64
  }

  func gaps(on timeline: UInt32) -> [Gap] {
    guard let size, let numbers = numbers[timeline] else { return [] }
    return zip(numbers, numbers.dropFirst()).compactMap { before, after in
      guard after > before + 1,
        let first = WALFileName(timeline: timeline, number: before + 1, size: size),
        let last = WALFileName(timeline: timeline, number: after - 1, size: size)
      else { return nil }
      return Gap(first: first, last: last, count: after - before - 1)
    }
  }
}

/// The path of a recovery through an archive: consecutive segments along the history of a timeline, as far as they are
/// archived.
struct RecoveryPath {
  let inventory: WALInventory
  let history: TimelineHistory
  let size: WALSegmentSize
  /// The segments of the path, from the first on; the last one may be unfinished.
  let files: [WALFileName]
  /// The first segment that is not archived whole.
  let missing: WALFileName?
  /// A segment after the missing one that is archived on the same path; `nil` if there is none. With it, the path has a
  /// gap; without it, an end.
  let later: WALFileName?
  /// A segment that a server would take in place of the missing one, although the history left that timeline before: a
  /// server asks for a segment on every timeline of its history.
  let abandoned: WALFileName?

  /// - Parameter start: the position at which recovery begins to read.
  init(_ inventory: WALInventory, _ history: TimelineHistory, _ size: WALSegmentSize, from start: LogSequenceNumber) {
    (self.inventory, self.history, self.size) = (inventory, history, size)
    var number = size.number(of: start)
    var files: [WALFileName] = []
    while let file = Self.file(number, history, size), inventory.contains(file) {
      files.append(file)
      number += 1
    }
    let missing = Self.file(number, history, size)
    self.missing = missing
    // A fetch gives an unfinished segment if asked for the whole one.
    let left = history.steps.reversed().lazy
      .compactMap { WALFileName(timeline: $0.timeline, number: number, size: size) }
      .flatMap { [$0, $0.unfinished].compactMap { $0 } }.first { inventory.contains($0) }
    let behind = inventory.numbers.compactMap { timeline, numbers in
      numbers.lazy.filter { $0 > number }.compactMap { Self.file($0, history, size) }.first { $0.timeline == timeline }
    }
    later = behind.min { $0.text.dropFirst(8) < $1.text.dropFirst(8) }
    // Recovery ends in an unfinished segment. If there is a gap, a fetch reports the gap and does not give that
    // segment.
    let open = later == nil ? missing?.unfinished.flatMap { inventory.contains($0) ? $0 : nil } : nil
    self.files = files + (open.map { [$0] } ?? [])
    abandoned = open == nil ? left : nil
  }

  /// Returns the name of a segment on the newest timeline of the history that has it.
  private static func file(_ number: UInt64, _ history: TimelineHistory, _ size: WALSegmentSize) -> WALFileName? {
    history.timelines(holding: number, size).first.flatMap {
      WALFileName(timeline: $0, number: number, size: size)
    }
  }
}
