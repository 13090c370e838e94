internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem

/// Records a backup in path order: the body of the manifest, the state root, and what could not be captured.
final class ChangeRecord {
  private let body: BodyWriter
  private let archives: ArchiveSeries
  private var summarizer = StateSummarizer()
  /// The state of the parent and the weakest class of its files, if everything is as it was.
  private var kept: (state: Envelope.State, consistency: ConsistencyClass)?
  /// The paths of the files of the state that are not whole.
  private var incompleteFiles: Set<Path> = []
  private(set) var problems: [Problem] = []
  /// True if it was reported that the system gives no extended attributes.
  private var lacksAttributes = false
  /// The numbers of the bad pages of files of class `badPages`.
  private(set) var badPages: [Path: [UInt64]] = [:]
  var changes = Envelope.Changes()
  /// The density of the pages that this backup stores.
  var density = Density.Count()
  var torn = TornFiles()
  /// The changes that wait until their position among the others is known: first those that were captured during the
  /// walk, then those of files that the database server gave at the end.
  private var spools: [ChangeSpool] = []
  /// The sums of the file sizes so far, by the number of bits of each size.
  private var sizes = [UInt64](repeating: 0, count: UInt64.bitWidth + 1)

  init(body: BodyWriter, archives: ArchiveSeries) {
    self.body = body
    self.archives = archives
  }

  /// Returns the head of the archive for which the frame of the next job is to be made.
  func headForNextJob() throws -> ContainerHead { try archives.headForNextFrame() }

  /// Ends the archives before this one: frames of further jobs are for this head or newer ones.
  func endArchives(before head: ContainerHead?) throws {
    if let head { try archives.endArchives(before: head) }
  }

  /// Stores the pages of a job.
  /// - Returns: the location of the first page; `nil` if there are none.
  func place(_ job: CaptureJob) throws -> PageLocation? {
    try place(job.buffer, job.frame, for: job.head)
  }

  /// - Parameters:
  ///   - pages: the pages to store.
  ///   - frame: the frame that was made of them for `head`, if they fill most of one.
  func place(_ pages: Buffer, _ frame: StoredFrame?, for head: ContainerHead?) throws -> PageLocation? {
    guard pages.count > 0 else { return nil }
    changes.pageBytes += UInt64(pages.count)
    if let frame, let head { return try archives.place(frame, for: head) }
    return try archives.gather(pages.used)
  }

  /// Counts the pages that this backup stores.
  func count(_ extents: [PageExtent]) {
    for extent in extents where extent.location != nil { changes.pages += extent.count }
  }

  /// Begins a part: its changes are in path order among themselves, but not after the changes of the part before. All
  /// changes then wait for `mergeParts`. The first part must be begun before the first change.
  func beginPart(_ space: ScratchSpace) {
    spools.append(ChangeSpool(space))
  }

  /// Records that the source is as the parent has it, with every file whole.
  /// - Parameters:
  ///   - parent: the state of the parent.
  ///   - consistency: the weakest class of its files.
  func keepAll(of parent: Envelope.State, _ consistency: ConsistencyClass) { kept = (parent, consistency) }

  /// The state that was captured.
  var state: Envelope.State { kept?.state ?? summarizer.summary }

  /// Records an entry that is unchanged since the parent.
  func keep(_ entry: Entry) throws {
    guard takes(entry) else { return try putWithoutContent(entry, previous: entry) }
    if let spool = spools.last { try spool.keep(entry) } else { count(entry) }
  }

  /// - Parameter extents: the extents of a file: all of them, or with `inherits` those that differ from the parent.
  func put(_ entry: Entry, previous: Entry?, inherits: Bool, extents: (any PageMapReader)?) throws {
    if let file = entry.file { noteProblem(of: file, at: entry.path) }
    guard entry != previous else { return try keep(entry) }
    guard takes(entry) else { return try putWithoutContent(entry, previous: previous) }
    if previous == nil { changes.added += 1 } else { changes.changed += 1 }
    if let spool = spools.last {
      return try spool.put(entry, isNew: previous == nil, inherits: inherits, extents: extents)
    }
    try write(entry, inherits: inherits, extents: extents)
  }

  /// The most bytes that all files whose sizes have the same number of bits may have together. This keeps the sum of
  /// all files below the limit of a snapshot, and huge sparse files of one user keep no other files out.
  static let sizeShare = Limits.sizeMax / 64

  /// Returns true if the snapshot can take this file in addition to those before, and counts it then.
  private func takes(_ entry: Entry) -> Bool {
    let size = entry.file?.size ?? 0
    let magnitude = UInt64.bitWidth - size.leadingZeroBitCount
    let (sum, isOver) = sizes[magnitude].addingReportingOverflow(size)
    guard !isOver, sum <= Self.sizeShare else { return false }
    sizes[magnitude] = sum
    return true
  }

  /// Records a file that is too large as a file without content. A sparse file is cheap to make, and must not keep
  /// everything else from being captured.
  private func putWithoutContent(_ entry: Entry, previous: Entry?) throws {
    add(Problem(path: entry.path, reason: Self.tooLarge(entry.file?.size ?? 0)))
    try put(entry.withoutContent, previous: previous, inherits: false, extents: nil)
  }

  static func tooLarge(_ size: UInt64) -> String {
    "it has \(Amount.bytes(size)), and no snapshot can stand for so much beside everything else"
  }

  private func noteProblem(of file: FileContent, at path: Path) {
    switch file.consistency {
    case .torn:
      add(Problem(path: path, reason: torn.reason(of: path).text))
    case .badPages:
      badPages[path] = file.badPages
      add(Problem(path: path, reason: file.badPagesReason))
    default: break
    }
  }

  func remove(_ path: Path) throws {
    changes.removed += 1
    if let spool = spools.last { try spool.remove(path) } else { try body.remove(path) }
  }

  private func write(_ entry: Entry, inherits: Bool, extents: (any PageMapReader)?) throws {
    count(entry)
    try body.put(entry, inherits: inherits)
    guard var extents else { return }
    while let extent = try extents.next() {
      try body.append(extent)
    }
  }

  private func write(_ item: ChangeSpool.Item) throws {
    switch item {
    case .kept(let entry): count(entry)
    case .put(let entry, _, let inherits, let extents): try write(entry, inherits: inherits, extents: extents)
    case .removed(let path): try body.remove(path)
    }
  }

  /// Counts an entry of the state.
  private func count(_ entry: Entry) {
    summarizer.add(entry)
    if let file = entry.file, !file.consistency.isComplete { incompleteFiles.insert(entry.path) }
  }

  /// Writes the parts, merged in path order.
  /// - Parameter isLeftOut: returns true if the file at a path does not belong in the snapshot after all.
  func mergeParts(leavingOut isLeftOut: (Path) -> Bool) throws {
    let readers = try spools.map { try $0.finish() }
    var heads = try readers.map { try $0.next() }
    func next() -> Int? {
      heads.indices.filter { heads[$0] != nil }.min { left, right in
        guard let first = heads[left], let second = heads[right] else { return false }
        return first.path < second.path
      }
    }
    while let index = next(), let item = heads[index] {
      try isLeftOut(item.path) ? leaveOut(item) : write(item)
      heads[index] = try readers[index].next()
    }
    spools = []
  }

  /// Leaves out a change, and removes the parent's entry if there is one.
  private func leaveOut(_ item: ChangeSpool.Item) throws {
    problems.removeAll { $0.path == item.path }
    badPages[item.path] = nil
    switch item {
    case .put(_, isNew: true, _, _): changes.added -= 1
    case .put(_, isNew: false, _, _):
      changes.changed -= 1
      changes.removed += 1
      try body.remove(item.path)
    case .kept:
      changes.removed += 1
      try body.remove(item.path)
    case .removed: try write(item)
    }
  }

  func add(_ problem: Problem) {
    problems.append(problem)
  }

  /// Reports an entry that is captured without its extended attributes; if the system gives none at all, only once.
  func addUnreadAttributes(of path: Path, _ error: SystemError) {
    guard error.isNotImplemented else { return add(Problem(path: path, reason: error.message)) }
    guard !lacksAttributes else { return }
    lacksAttributes = true
    add(Problem(path: path, reason: "\(error.message): no extended attribute of anything is captured"))
  }

  /// The weakest consistency class of the state, and the number of paths that were not captured whole.
  var completeness: (consistency: ConsistencyClass, incomplete: UInt64) {
    // A problem at a path that is no incomplete file means that it could not be examined at all. A restore finds such
    // paths by the difference of the two counts.
    let unseen = Set(problems.map(\.path)).subtracting(incompleteFiles).count
    let consistency = kept?.consistency ?? summarizer.consistency
    return (unseen > 0 ? .unreadable : consistency, UInt64(unseen) + summarizer.incomplete)
  }

  /// Ends the archives, then the body.
  func finish() throws -> (archives: [Envelope.Archive], body: ObjectReference) {
    return (try archives.finish(), try body.finish())
  }
}

extension Entry {
  /// The entry of a file whose content is not captured.
  var withoutContent: Entry {
    var entry = self
    entry.content = .file(
      FileContent(
        size: 0, pageSize: PageSize.standard, consistency: .unreadable,
        digest: PageDigestStream().finish(size: 0, pageSize: PageSize.standard)))
    entry.identity.mark = []
    return entry
  }
}
