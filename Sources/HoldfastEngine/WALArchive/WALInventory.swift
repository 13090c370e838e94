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
  private var knownFacts: [WALFileName: WALFacts] = [:]
  private var knownHistories: [TimelineHistory]?

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
    var damage: DamageError?
    for file in files where file.isLog {
      do {
        if let size = try archive.find(file, of: system)?.manifest.segment { return size }
      } catch let error as DamageError {
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

  func facts(_ file: WALFileName) throws -> WALFacts {
    if let known = knownFacts[file] { return known }
    guard let facts = try archive.firstSound(of: file, system, { try archive.facts(of: $0) }) else {
      throw DamageError(Keys.walManifest(archive.source, system, file), "it is missing")
    }
    knownFacts[file] = facts
    return facts
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
    let left = history.steps.reversed().lazy
      .compactMap { WALFileName(timeline: $0.timeline, number: number, size: size) }.first { inventory.contains($0) }
    let behind = inventory.numbers.flatMap { timeline, numbers in
      numbers.compactMap { candidate -> WALFileName? in
        guard candidate > number, let file = Self.file(candidate, history, size), file.timeline == timeline else {
          return nil
        }
        return file
      }
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
