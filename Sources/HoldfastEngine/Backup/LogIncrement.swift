internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Chooses what an increment of a live cluster reads of its relations: the pages that the log names since the parent,
/// and a sample of the others. For one thread.
final class LogIncrement {
  /// The parts of a file that are read.
  struct Part {
    let ranges: ChangedRanges
    let sample: PageSample
  }

  private let cluster: PostgresCluster
  private let blocks: LoggedBlocks
  private let parentStart: LogSequenceNumber
  private let start: LogSequenceNumber
  private let parentStarted: Timestamp
  private let buildMax: TimeSpan
  /// One of so many pages is in the sample.
  private let sampleShare: Int
  /// Chosen anew for each run, so that each run has another sample.
  private let offset: Int
  /// The number of times that a page of the sample is read again before it is a reason for doubt.
  private static let rereads = 20
  var use: LogUse

  /// - Parameters:
  ///   - parentStarted: the time at which the parent was begun.
  ///   - blocks: the blocks that the log names from the start of the parent's backup to the start of this one.
  init(
    of backup: PostgresBackup, since parentStart: LogSequenceNumber, _ parentStarted: Timestamp,
    _ blocks: LoggedBlocks, _ options: Backup.Options, random: Randomness, use: LogUse
  ) {
    (cluster, self.blocks, self.parentStart, start) = (backup.cluster, blocks, parentStart, backup.start)
    (self.parentStarted, buildMax) = (parentStarted, options.logBuildMax)
    sampleShare = max(1, options.logSampleShare)
    offset = random.bytes(2).reduce(0) { $0 << 8 | Int($1) }
    self.use = use
  }

  /// Returns the parts of a file that may differ from the parent.
  /// - Parameters:
  ///   - birth: the time at which the file was made; `nil` if its file system does not keep it.
  ///   - previous: the parent's entry at this path.
  ///   - base: the parent's file.
  /// - Returns: `nil` if all of it must be read: it is no main fork of a relation, another file than the parent's, the
  ///   parent did not capture it from a running server, or it may have been built then.
  func part(
    of path: Path, _ status: FileStatus, birth: @autoclosure () -> Timestamp?, previous: Entry?, base: BaseFile?
  ) throws -> Part? {
    guard let previous, let base, base.isSamePath, base.file.pageSize == PageSize.postgreSQL,
      base.file.consistency == .postgresBackup, previous.identity.inode == status.inode,
      let (relation, segment) = cluster.relation(of: path), mayNotBeTorn(birth())
    else { return nil }
    let pageSize = UInt64(PageSize.postgreSQL)
    let size = min(status.size, base.file.size)
    guard size <= PostgresFile.blocksPerSegment * pageSize else { return nil }
    let count = Int(size / pageSize)
    var isWanted = [Bool](repeating: false, count: count)
    blocks.forEachBlock(of: relation, segment: segment, count: count) { isWanted[$0] = true }
    // SP-GiST notes pages with room in its first page, which is not in the log.
    if segment == 0, count > 0 { isWanted[0] = true }
    // A page may be written, and its file grow, without log: it is logged before or after.
    var extents = base.extents()
    while let extent = try extents.next() {
      guard extent.location == nil else { continue }
      for page in extent.first..<max(extent.first, min(extent.end, UInt64(count))) { isWanted[Int(page)] = true }
    }
    let named = isWanted.reduce(0) { $1 ? $0 + 1 : $0 }
    let shift = offset + Int(relation.node) % sampleShare
    let sample = isWanted.indices.filter { !isWanted[$0] && ($0 + shift).isMultiple(of: sampleShare) }
    for page in sample { isWanted[page] = true }
    use.namedPages += UInt64(named)
    use.sampledPages += UInt64(sample.count)
    use.keptPages += UInt64(count - named - sample.count)
    let numbers = isWanted.indices.filter { isWanted[$0] }.map { UInt32($0) + 1 }
    return Part(
      ranges: ChangedRanges(numbers, of: pageSize, size: status.size, baseSize: base.file.size, pageSize: pageSize),
      sample: PageSample(
        pages: sample.map(UInt64.init), parentStart: parentStart, start: start, logsHints: cluster.control.logsHints))
  }

  /// True if the parent has no page of a file that was half written when it was read, and that its log does not repair.
  /// What builds an index, or a table anew, logs a page and then writes it past the buffers into a new file: the
  /// parent's checkpoint may lie in between. Checksums tell of such a page. Without them only the age of a file tells
  /// that nothing was building it.
  private func mayNotBeTorn(_ birth: @autoclosure () -> Timestamp?) -> Bool {
    cluster.control.hasPageChecksums || birth().map { parentStarted - $0 > buildMax } ?? false
  }

  /// Judges the pages of the sample that differ from the parent.
  /// - Throws: `LogDoubt` if one of them should have been named.
  func judge(_ different: [PageSample.Look], of file: LargeFile) throws {
    guard let sample = file.sample else { return }
    if let look = different.first(where: { !sample.isExplained($0) && !isBeingWritten($0, of: file, sample) }) {
      throw LogDoubt(path: file.item.path, page: look.page, lsn: look.lsn)
    }
    use.differentPages += UInt64(different.count)
  }

  /// Reads a page again, a few times: the server may have been in the middle of writing it. Then its bytes were half of
  /// before and half of after, and its LSN still the old one.
  private func isBeingWritten(_ look: PageSample.Look, of file: LargeFile, _ sample: PageSample) -> Bool {
    let page = Buffer(capacity: Int(PageSize.postgreSQL))
    for _ in 0..<Self.rereads {
      Pause.forAnotherThread()
      guard let count = try? file.source.read(into: page.bytes, at: look.page * UInt64(PageSize.postgreSQL)) else {
        return false
      }
      // The file was cut there, which the log tells of.
      guard count == page.bytes.count else { return true }
      let again = PageSample.Look(page: look.page, lsn: PostgresFile.lsn(of: UnsafeRawBufferPointer(page.bytes)))
      if sample.isExplained(again) { return true }
    }
    return false
  }
}
