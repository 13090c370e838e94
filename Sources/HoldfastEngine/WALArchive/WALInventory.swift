internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// What is archived of one cluster's log: by names at once, what the files hold when it is first asked for. For one thread.
final class WALInventory {
  let archive: WALArchive
  let system: SystemIdentifier
  /// In ascending order.
  let files: [WALFileName]
  /// Of this cluster; `nil` where no segment is archived.
  let size: WALSegmentSize?
  /// The numbers of the segments by timeline, in ascending order.
  private(set) var numbers: [UInt32: [UInt64]] = [:]
  private let present: Set<WALFileName>
  private var knownLogs: [WALFileName: FollowedLog] = [:]
  private var knownHistories: [TimelineHistory]?
  /// About how many bytes of memory what is known of logs may take. What is more is read again when it is asked for.
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

  /// All segments of a cluster have the same; the first manifest that can be read tells.
  private static func segmentSize(
    _ files: [WALFileName], _ archive: WALArchive, _ system: SystemIdentifier
  ) throws -> WALSegmentSize? {
    var damage: (any Error)?
    for file in files where file.isLog {
      do {
        if let size = try archive.find(file, of: system)?.manifest.segment { return size }
      } catch  where WALArchive.isOfACopy(error) {
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

  /// What a file of the log holds: as it was noted when it was archived, else as it is read now.
  func log(_ file: WALFileName) throws -> FollowedLog {
    if let known = knownLogs[file] { return known }
    let log: FollowedLog
    // Of what is unfinished earlier versions noted more than is whole.
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

  /// What was noted of a file when it was archived; `nil` where it was not understood then.
  func noted(_ file: WALFileName) throws -> WALFacts.Log? {
    if let known = knownLogs[file] { return known.facts }
    return try firstSound(of: file) { try archive.facts(of: $0).log }
  }

  /// Takes the copies of a file in their order, until `body` finds nothing wrong with one.
  func firstSound<Value>(of file: WALFileName, _ body: (ArchivedWAL) throws -> Value) throws -> Value {
    guard let value = try archive.firstSound(of: file, system, body) else {
      throw DamageError(Keys.walManifest(archive.source, system, file), "it is missing")
    }
    return value
  }

  // MARK: Timelines

  /// Of all timelines that are archived, in ascending order; the first one of a cluster has no history file.
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

  /// The newest timeline that a cluster captured on another one, up to `stop`, can follow.
  func newestHistory(from timeline: UInt32, upTo stop: LogSequenceNumber) throws -> TimelineHistory {
    try histories().last { $0.contains(timeline, upTo: stop) } ?? TimelineHistory(first: timeline)
  }

  // MARK: Gaps

  /// Segments that are missing between others of their timeline.
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

/// The way that recovery takes through an archive: segment after segment along a history of timelines, as long as they are there.
struct RecoveryPath {
  let inventory: WALInventory
  let history: TimelineHistory
  let size: WALSegmentSize
  /// From the first segment on; the last one may be unfinished.
  let files: [WALFileName]
  /// What would come next, and is not archived.
  let missing: WALFileName?
  /// What is archived behind that, on the same way: then it is a gap, and not the end.
  let later: WALFileName?
  /// What a server would take for the missing one, though the timeline has left that way before: it looks on every timeline of its history.
  let abandoned: WALFileName?

  /// - Parameter start: what recovery reads first.
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
    // A fetch gives what is unfinished for what is whole.
    let left = history.steps.reversed().lazy
      .compactMap { WALFileName(timeline: $0.timeline, number: number, size: size) }
      .flatMap { [$0, $0.unfinished].compactMap { $0 } }.first { inventory.contains($0) }
    let behind = inventory.numbers.compactMap { timeline, numbers in
      numbers.lazy.filter { $0 > number }.compactMap { Self.file($0, history, size) }.first { $0.timeline == timeline }
    }
    later = behind.min { $0.text.dropFirst(8) < $1.text.dropFirst(8) }
    // Recovery ends in what is unfinished; before a gap nobody is given it.
    let open = later == nil ? missing?.unfinished.flatMap { inventory.contains($0) ? $0 : nil } : nil
    self.files = files + (open.map { [$0] } ?? [])
    abandoned = open == nil ? left : nil
  }

  /// Of the timelines that have a segment, recovery takes the newest.
  private static func file(_ number: UInt64, _ history: TimelineHistory, _ size: WALSegmentSize) -> WALFileName? {
    history.timelines(holding: number, size).first.flatMap {
      WALFileName(timeline: $0, number: number, size: size)
    }
  }
}
