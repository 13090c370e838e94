internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Walks the state and decides for every file which pages must be written; fetches them plan by plan, each bounded in memory. Over an existing target it walks that beside the
/// state, compares page by page, and lists what has to go.
final class RestorePlan {
  private let state: StateFile
  private let selection: Selection
  /// The target, where it is restored over.
  private let existing: OpenFile?
  /// `nil` for a dry run.
  private let staging: StagingArea?
  private let host: Host
  private let progress: any ProgressObserver
  private let comparison: ExistingComparison?
  private var fetcher: PageFetcher?
  private var pages = PagePlan()
  private let nowhere = NullTarget()
  private(set) var removed: [Path] = []
  private var writtenFiles: UInt64 = 0
  private var writtenBytes: UInt64 = 0
  private var readBytes: UInt64 = 0
  /// Frames counted for a dry run.
  private var lastFrame: PageLocation?

  init(
    state: StateFile, selection: Selection, existing: OpenFile?, staging: StagingArea?, host: Host,
    progress: any ProgressObserver
  ) throws {
    self.state = state
    self.selection = selection
    self.existing = existing
    self.staging = staging
    self.host = host
    self.progress = progress
    comparison = existing == nil ? nil : ExistingComparison(host: host)
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
      fetcher = PageFetcher(readers: readers, host: host, isProving: false) { [unowned self] _, storedBytes, failure in
        if let failure { throw failure }
        readBytes += storedBytes
      }
    }
    var leftovers = existing.map { Leftovers(root: $0, host: host, selection: selection) }
    let reader = state.makeReader()
    while let entry = try reader.nextEntry() {
      try host.cancellation.check()
      guard let wanted = selection.resolve(entry) else { continue }
      let present = try leftovers?.advance(to: wanted)
      try plan(wanted, runs: { selection.runs(of: wanted, from: reader) }, over: present ?? nil)
    }
    try leftovers?.finish()
    removed = leftovers?.removed ?? []
    try comparison?.drain()
    try fetchPages(readers, isDryRun: isDryRun)
  }

  private func plan(_ entry: Entry, runs: () -> any PageMapReader, over status: FileStatus?) throws {
    if entry.content == .directory, let staging, !entry.path.isEmpty {
      if existing == nil { return try staging.makeDirectory(entry.path) }
      if let status, selection.isSelected(entry.path) { try staging.makeWritable(entry.path, status) }
      return
    }
    guard let content = entry.file else { return }
    guard content.consistency != .unreadable else {
      // What an interrupted restore left there is of another snapshot.
      if let staging { try TreeRemoval.remove(entry.path, in: staging.directory, files: host.files) }
      return
    }
    if let existing, let found = try openExisting(entry, status, in: existing) {
      return try compare(entry, content, runs(), found, in: existing)
    }
    if let existing, staging != nil, status != nil, try Gate.isGate(entry.path, files: host.files, beneath: existing) {
      try TreeRemoval.remove(entry.path, in: existing, files: host.files)
    }
    let file = staging.map { RestoredFile(entry, content: content, origin: .nothing, staging: $0) }
    writtenFiles += 1
    var runs = runs()
    while let run = try runs.next() { try add(run, of: content, to: file) }
    try file?.allAnnounced()
    progress.advance(bytes: content.size, files: 1)
  }

  /// Plans one run; a full plan is fetched.
  private func add(_ run: PageRun, of content: FileContent, to file: RestoredFile?) throws {
    guard run.location != nil else { return }
    writtenBytes += Pages.bytes(first: run.first, count: run.count, size: content.size, pageSize: content.pageSize)
    file?.expectRun()
    pages.add(run, of: content, to: file ?? nowhere)
    if pages.isFull, let fetcher { try fetcher.fetch(&pages) }
  }

  // MARK: Over existing content

  /// The file of the target, or the one that an interrupted restore left, whose pages can be kept; `nil` when there is none.
  private func openExisting(
    _ entry: Entry, _ status: FileStatus?, in target: OpenFile
  ) throws
    -> (file: OpenFile, status: FileStatus, origin: RestoredFile.Origin)?
  {
    if let staging, let left = try staging.takeOver(entry.path) {
      return (try staging.reopen(entry.path), left, .staging)
    }
    // A file with other names would change under them too.
    guard let status, status.kind == .file, status.linkCount == 1 else { return nil }
    return try openOwn(entry.path, in: target).map { ($0, status, .target) }
  }

  /// Opens a file of the target, also one that its owner may not read as it is: its mode is set anyway in the end.
  /// - Returns: `nil` in a dry run for such a one.
  private func openOwn(_ path: Path, in target: OpenFile) throws -> OpenFile? {
    do throws(SystemError) {
      return try host.files.openBeneath(path, in: target, .read)
    } catch {
      guard error.isForbidden else { throw error }
      if staging == nil { return nil }
      let (parent, name) = try host.files.locate(path, beneath: target)
      try host.files.setMode(name, in: parent, mode: 0o600)
      return try host.files.openBeneath(path, in: target, .read)
    }
  }

  private func compare(
    _ entry: Entry, _ content: FileContent, _ runs: any PageMapReader,
    _ found: (file: OpenFile, status: FileStatus, origin: RestoredFile.Origin), in target: OpenFile
  ) throws {
    guard let comparison else { return }
    let file = staging.map { RestoredFile(entry, content: content, origin: found.origin, staging: $0) }
    var isTouched = found.status.size != content.size
    if case .staging = found.origin { isTouched = true }
    if case .target = found.origin, try Gate.isGate(entry.path, files: host.files, beneath: target) {
      isTouched = true
      try file?.takeAway()
    }
    try comparison.compare(runs, of: content, with: found.file, size: found.status.size) { [self] run in
      isTouched = true
      if run.location == nil {
        let start = run.first * UInt64(content.pageSize)
        try file?.expectZeros(start..<min(run.end * UInt64(content.pageSize), content.size))
      }
      try add(run, of: content, to: file)
    } end: { [self] in
      progress.advance(bytes: content.size, files: 1)
      guard isTouched else { return }
      writtenFiles += 1
      try file?.allAnnounced()
    }
  }

  // MARK: Fetching

  private func fetchPages(_ readers: ArchiveReaders, isDryRun: Bool) throws {
    if let fetcher { return try fetcher.fetch(&pages) }
    pages.sort()
    for run in pages.runs where lastFrame?.archive != run.location.archive || lastFrame?.frame != run.location.frame {
      lastFrame = run.location
      let frames = try readers.reader(run.location.archive).frames
      guard run.location.frame < frames.count else { continue }
      readBytes += UInt64(frames[Int(run.location.frame)].storedCount)
    }
    pages.removeAll()
  }
}

/// Walks the target beside the state and lists what the snapshot does not have, or has as something else.
private struct Leftovers {
  private let root: OpenFile
  private let files: FileSystem
  private let scanner: Scanner
  private let selection: Selection
  private var item: ScannedItem?
  private var hasBegun = false
  private(set) var removed: [Path] = []

  init(root: OpenFile, host: Host, selection: Selection) {
    self.root = root
    files = host.files
    scanner = Scanner(files: host.files, root: root, exclusions: [Glob("/\(StagingArea.name)")])
    self.selection = selection
  }

  /// - Returns: what the target has at the entry's path, if it is of the same kind.
  mutating func advance(to entry: Entry) throws -> FileStatus? {
    if !hasBegun { try step() }
    while let found = item, found.path < entry.path {
      remove(found)
      try step()
    }
    guard let found = item, found.path == entry.path else { return nil }
    let status = found.status
    if !isSameKind(entry.content, status.kind) {
      guard selection.isSelected(entry.path) else {
        throw EngineError(
          "\(entry.path) in the target is no directory, and what is to be restored lies in it",
          hint: "Move it away, or restore without --path.")
      }
      remove(found)
    }
    try step()
    return isSameKind(entry.content, status.kind) ? status : nil
  }

  mutating func finish() throws {
    if !hasBegun { try step() }
    while let found = item {
      remove(found)
      try step()
    }
  }

  private mutating func step() throws {
    hasBegun = true
    while let finding = try scanner.next() {
      switch finding {
      case .item(let found):
        // What lies below something that goes, goes with it.
        if let last = removed.last, last.contains(found.path) { continue }
        item = found
        return
      case .socket(let path): if selection.isSelected(path) { removed.append(path) }
      case .problem(let problem, _):
        throw EngineError(
          "cannot examine \(problem.path) in the target: \(problem.reason)",
          hint: "Correct its permissions, or restore into an empty --target.")
      }
    }
    item = nil
  }

  private mutating func remove(_ found: ScannedItem) {
    if selection.isSelected(found.path) || belongsToSelectedDatabase(found.path) { removed.append(found.path) }
  }

  /// Whether SQLite would take the file for a part of a database that is restored: the next reader would write what is in a stale WAL into it.
  private func belongsToSelectedDatabase(_ path: Path) -> Bool {
    guard let database = SQLiteCandidate.database(ofCompanion: path), selection.isSelected(database) else {
      return false
    }
    guard let present = try? files.statusIfPresent(of: database, beneath: root) else { return true }
    return SQLiteCandidate.look(at: database, status: present, in: root, files: files) != nil
  }

  private func isSameKind(_ content: Content, _ kind: FileStatus.Kind) -> Bool {
    switch content {
    case .directory: kind == .directory
    case .file, .hardLink: kind == .file
    case .symbolicLink: kind == .symbolicLink
    case .fifo: kind == .fifo
    case .characterDevice: kind == .characterDevice
    case .blockDevice: kind == .blockDevice
    }
  }
}
