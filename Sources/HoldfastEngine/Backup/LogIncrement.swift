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
  /// One of so many pages is in the sample.
  private let sampleShare: Int
  /// Chosen anew for each run, so that each run has another sample.
  private let offset: Int
  var use: LogUse

  /// - Parameters:
  ///   - blocks: the blocks that the log names from the start of the parent's backup to the start of this one.
  ///   - sampleShare: one of so many pages that it does not name is read.
  init(
    of backup: PostgresBackup, since parentStart: LogSequenceNumber, _ blocks: LoggedBlocks, sampleShare: Int,
    random: Randomness, use: LogUse
  ) {
    (cluster, self.blocks, self.parentStart, start) = (backup.cluster, blocks, parentStart, backup.start)
    self.sampleShare = max(1, sampleShare)
    offset = random.bytes(2).reduce(0) { $0 << 8 | Int($1) }
    self.use = use
  }

  /// Returns the parts of a file that may differ from the parent.
  /// - Parameters:
  ///   - previous: the parent's entry at this path.
  ///   - base: the parent's file.
  /// - Returns: `nil` if all of it must be read: it is no main fork of a relation, another file than the parent's, or
  ///   the parent did not capture it from a running server.
  func part(of path: Path, _ status: FileStatus, previous: Entry?, base: BaseFile?) throws -> Part? {
    guard let previous, let base, base.isSamePath, base.file.pageSize == PageSize.postgreSQL,
      base.file.consistency == .postgresBackup, previous.identity.inode == status.inode,
      let (relation, segment) = cluster.relation(of: path)
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

  /// Judges the pages of the sample that differ from the parent.
  /// - Throws: `LogDoubt` if one of them should have been named.
  func judge(_ different: [PageSample.Look], of file: LargeFile) throws {
    guard let sample = file.sample else { return }
    if let look = different.first(where: { !sample.isExplained($0) }) {
      throw LogDoubt(path: file.item.path, page: look.page, lsn: look.lsn)
    }
    use.differentPages += UInt64(different.count)
  }
}
