internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem

/// Walks the state and decides for every file which pages must be written; fetches them plan by plan, each bounded in memory. Over an existing target it walks that beside the
/// state, compares page by page, and lists what has to go.
final class RestorePlan {
  private let state: StateFile
  private let selection: Selection
  /// The target, where it is restored over.
  private let existing: OpenFile?
  /// What stays of it.
  private let keeps: Restore.Keep
  private let mounts: TargetMounts
  /// Whether owners are restored.
  private let setsOwner: Bool
  /// `nil` for a dry run.
  private let staging: StagingArea?
  private let host: Host
  private let progress: any ProgressObserver
  private let comparison: ExistingComparison?
  private var fetcher: PageFetcher?
  private var pages = PagePlan()
  private let nowhere = NullSink()
  private(set) var removed: [Path] = []
  /// What each of them was when it was found.
  private(set) var removedKeys: [FileSystem.FileKey?] = []
  /// What the directories of the target were when what lies in them was looked at, in the order of the state; `nil` for those that are not there.
  private(set) var directories: [FileSystem.FileKey?] = []
  /// Whether something of the target was removed already.
  private(set) var hasRemoved = false
  /// Directories on the way to what is looked at that are not changed themselves, and in which their owner may not write.
  private var closed: [(path: Path, status: FileStatus)] = []
  private var writtenFiles: UInt64 = 0
  private var writtenBytes: UInt64 = 0
  private var readBytes: UInt64 = 0
  /// Frames counted for a dry run.
  private var lastFrame: PageLocation?

  init(
    state: StateFile, selection: Selection, existing: OpenFile?, keeps: Restore.Keep, mounts: TargetMounts,
    staging: StagingArea?, setsOwner: Bool, host: Host, progress: any ProgressObserver
  ) throws {
    self.keeps = keeps
    self.mounts = mounts
    self.setsOwner = setsOwner
    self.state = state
    self.selection = selection
    self.existing = existing
    self.staging = staging
    self.host = host
    self.progress = progress
    comparison = existing != nil || staging?.hasLeftovers == true ? ExistingComparison(host: host) : nil
  }

  /// Ends the threads: nothing is written to the target any more.
  func stop() {
    fetcher?.stop()
    comparison?.stop()
  }

  /// Adds what was done.
  func fill(_ report: inout Restore.Report) {
    report.removed += removed
    report.writtenFiles += writtenFiles
    report.writtenBytes += writtenBytes
    report.readBytes += readBytes
  }

  func run(readers: ArchiveReaders, isDryRun: Bool) throws {
    // Also after an error: what is staged is removed then, and no worker may go on adding to it.
    if !isDryRun {
      fetcher = PageFetcher(readers: readers, host: host, isProving: false) { [unowned self] fetched in
        if let failure = fetched.failure { throw failure }
        readBytes += fetched.storedBytes
        progress.advance(bytes: fetched.pageBytes, files: staging?.takeCompleted() ?? 0)
      }
    }
    var leftovers = existing.map {
      Leftovers(root: $0, host: host, selection: selection, keeps: keeps, mounts: mounts)
    }
    var staged = existing == nil ? staging?.leftovers : nil
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      try host.cancellation.check()
      guard let wanted = selection.resolve(entry) else { continue }
      let present = try leftovers?.advance(to: wanted) ?? staged?.advance(to: wanted)
      if existing != nil, wanted.content == .directory, !wanted.path.isEmpty {
        directories.append(present.map { FileSystem.FileKey($0) })
      }
      let isKept = keeps == .everything && (present != nil || leftovers?.belongsToKeptDatabase(wanted.path) == true)
      if existing != nil { try makeWay(to: wanted, present, isKept: isKept) }
      if isKept { continue }
      try plan(wanted, extents: { selection.extents(of: wanted, from: reader) }, over: present)
    }
    try leftovers?.finish()
    try staged?.finish()
    removed = leftovers?.removed ?? []
    removedKeys = leftovers?.keys ?? []
    try comparison?.drain()
    try fetchPages(readers, isDryRun: isDryRun)
  }

  /// A directory that is not changed itself, and in which its owner may not write, is opened for what is restored in it.
  private func makeWay(to entry: Entry, _ present: FileStatus?, isKept: Bool) throws {
    while let last = closed.last, !last.path.contains(entry.path) { closed.removeLast() }
    if let parent = closed.last, parent.path == entry.path.parent, !isKept,
      present == nil || selection.isSelected(entry.path)
    {
      try staging?.makeWritable(parent.path, knownAs: parent.status, isForNow: true)
    }
    guard let present, present.kind == .directory, present.mode & 0o700 != 0o700, !entry.path.isEmpty,
      keeps == .everything || !selection.isSelected(entry.path)
    else { return }
    closed.append((entry.path, present))
  }

  private func plan(_ entry: Entry, extents: () -> any PageMapReader, over status: FileStatus?) throws {
    if entry.content == .directory, let staging, !entry.path.isEmpty {
      if existing == nil { return try staging.makeDirectory(entry.path) }
      if let status, selection.isSelected(entry.path) { try staging.makeWritable(entry.path, knownAs: status) }
      return
    }
    guard let content = entry.file else { return }
    guard content.consistency != .unreadable else {
      // What an interrupted restore left there is of another snapshot.
      try staging?.discard(entry.path)
      return
    }
    if let found = try openExisting(entry, status) { return try compare(entry, content, extents(), found) }
    if mounts.files.contains(entry.path) {
      staging?.attributes.note(entry.path, Self.isMounted)
      return progress.advance(bytes: 0, files: 1)
    }
    if let existing, staging != nil, status != nil,
      try StartupFile.includes(entry.path, files: host.files, beneath: existing)
    {
      try TreeRemoval.remove(entry.path, in: existing, files: host.files)
      hasRemoved = true
    }
    let file = staging.map { RestoredFile(entry, content: content, origin: .nothing, staging: $0) }
    writtenFiles += 1
    var extents = extents()
    while let extent = try extents.next() { try add(extent, of: content, to: file) }
    try file?.allAnnounced()
  }

  /// Plans one run; a full plan is fetched.
  private func add(_ extent: PageExtent, of content: FileContent, to file: RestoredFile?) throws {
    guard extent.location != nil else { return }
    let bytes = Pages.bytes(first: extent.first, count: extent.count, size: content.size, pageSize: content.pageSize)
    writtenBytes += bytes
    // What is fetched counts when it is written.
    if fetcher == nil { progress.advance(bytes: bytes, files: 0) }
    file?.expectExtent()
    pages.add(extent, of: content, to: file ?? nowhere)
    if pages.isFull, let fetcher { try fetcher.fetch(&pages) }
  }

  // MARK: Over existing content

  private static let isMounted =
    "it is mounted by itself and not as in the snapshot: unmount it, and run the same command again"

  private struct Found {
    let file: OpenFile
    let status: FileStatus
    let origin: RestoredFile.Origin
  }

  /// The file of the target, or the one that an interrupted restore left, whose pages can be kept; `nil` when there is none.
  private func openExisting(_ entry: Entry, _ status: FileStatus?) throws -> Found? {
    guard comparison != nil else { return nil }
    if let left = try staging?.takeOver(entry) {
      return Found(file: left, status: try left.status(), origin: .staging)
    }
    // A file with other names would change under them too.
    guard let existing, let status, status.kind == .file, entry.mayKeep(status, setsOwner: setsOwner) else {
      return nil
    }
    do throws(SystemError) {
      let file = try host.files.openBeneath(entry.path, in: existing, .read)
      let now = try file.status()
      guard now.kind == .file, entry.mayKeep(now, setsOwner: setsOwner) else { return nil }
      return Found(file: file, status: now, origin: .target(now))
    } catch {
      guard error.isForbidden else { throw error }
      return nil
    }
  }

  private func compare(
    _ entry: Entry, _ content: FileContent, _ extents: any PageMapReader, _ found: Found
  ) throws {
    guard let comparison else { return }
    let isMounted = mounts.files.contains(entry.path)
    let file =
      isMounted ? nil : staging.map { RestoredFile(entry, content: content, origin: found.origin, staging: $0) }
    var isTouched = found.status.size != content.size
    if case .staging = found.origin { isTouched = true }
    if case .target = found.origin, let existing, !isMounted,
      try StartupFile.includes(entry.path, files: host.files, beneath: existing)
    {
      isTouched = true
      try file?.takeAway()
    }
    var differingBytes: UInt64 = 0
    try comparison.compare(extents, of: content, with: found.file, size: found.status.size) { [self] extent in
      isTouched = true
      if isMounted { return }
      differingBytes += Pages.bytes(
        first: extent.first, count: extent.count, size: content.size, pageSize: content.pageSize)
      if extent.location == nil {
        let start = extent.first * UInt64(content.pageSize)
        try file?.expectZeros(start..<min(extent.end * UInt64(content.pageSize), content.size))
      }
      try add(extent, of: content, to: file)
    } same: { [progress] bytes in
      progress.advance(bytes: bytes, files: 0)
    } end: { [self] in
      staging?.proved(bytes: content.size - min(differingBytes, content.size))
      guard isTouched else {
        try adjust(entry, found)
        return progress.advance(bytes: 0, files: 1)
      }
      if isMounted { return staging?.attributes.note(entry.path, Self.isMounted) ?? () }
      writtenFiles += 1
      try file?.allAnnounced()
    }
  }

  /// A file whose content is right already: what was compared gets its attributes, whatever has its name by now.
  private func adjust(_ entry: Entry, _ found: Found) throws {
    guard let attributes = staging?.attributes,
      !attributes.matches(entry, found.status)
        // What cannot be read is named when it is set.
        || (try? found.file.extendedAttributes()) != entry.attributes.extended
    else { return }
    attributes.apply(entry, to: found.file)
  }

  // MARK: Fetching

  private func fetchPages(_ readers: ArchiveReaders, isDryRun: Bool) throws {
    if let fetcher { return try fetcher.fetch(&pages) }
    pages.sort()
    for extent in pages.extents
    where lastFrame?.archive != extent.location.archive || lastFrame?.frame != extent.location.frame {
      lastFrame = extent.location
      let frames = try readers.reader(extent.location.archive).frames
      guard extent.location.frame < frames.count else { continue }
      readBytes += UInt64(frames[Int(extent.location.frame)].storedCount)
    }
    pages.removeAll()
  }
}
