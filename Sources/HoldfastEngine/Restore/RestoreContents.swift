internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem

/// Follows the steps of `RestoreWalk` in one directory, and finds the pages that must be written for each file: all of
/// them, or those that differ from the existing file. With a writer the pages are fetched and written, in batches of
/// limited memory. Without one (dry run) they are counted.
final class RestoreContents {
  private let plan: RestorePlan
  private let part: RestorePart
  /// The target, if it may have content.
  private let existing: OpenFile?
  /// The writer; `nil` for a dry run.
  private let writer: RestoreWriter?
  private let readers: ArchiveReaders
  /// Finds what else differs, for a dry run over existing content.
  private let presence: EntryPresence?
  private let host: Host
  private let progress: any ProgressObserver
  private var comparison: ExistingComparison?
  private var pages = PagePlan()
  private let nowhere = NullSink()
  /// The objects that the target has and the snapshot does not have, each with its identity when it was found.
  private(set) var removed: [(path: Path, key: FileSystem.FileKey?)] = []
  /// The paths at which the target does not have what it shall have (`Restore.Report.differing`).
  private var differing: [Path] = []
  /// The effect on existing content, as it was found by this walk; `nil` for an empty target.
  private(set) var figures: Restore.TargetFigures?
  private var writtenFiles: UInt64 = 0
  private var writtenBytes: UInt64 = 0
  /// The stored bytes of the frames that would be read.
  private var countedBytes: UInt64 = 0

  init(
    _ plan: RestorePlan, _ part: RestorePart, over existing: OpenFile?, writer: RestoreWriter?,
    readers: ArchiveReaders, host: Host, progress: any ProgressObserver
  ) {
    (self.plan, self.part, self.existing, self.writer) = (plan, part, existing, writer)
    (self.readers, self.host, self.progress) = (readers, host, progress)
    presence =
      writer == nil
      ? existing.map { EntryPresence(target: $0, files: host.files, setsOwner: plan.options.setsOwner) } : nil
    guard existing != nil || writer?.staging.hasLeftovers == true else { return }
    comparison = ExistingComparison(host: host)
  }

  /// Stops the threads. Nothing is written to the target after that.
  func stop() {
    writer?.stop()
    comparison?.stop()
  }

  /// Adds the figures of the work that was done, or would be done.
  func fill(_ report: inout Restore.Report) {
    report.removed += removed.map(\.path)
    report.differing += differing
    report.writtenFiles += writtenFiles
    report.writtenBytes += writtenBytes
    report.readBytes += countedBytes + (writer?.readBytes ?? 0)
  }

  func run() throws {
    var walk = RestoreWalk(
      plan.state, part, over: existing, staged: existing == nil ? writer?.staging.leftovers : nil,
      keeps: plan.options.keeps, host: host)
    while let step = try walk.next() {
      try host.cancellation.check()
      try writer?.enter(step)
      if let presence, part.selection.isSelected(step.entry.path), try presence.differs(step) {
        differing.append(step.entry.path)
      }
      switch step.action {
      case .keep, .special: continue
      case .directory: try writer?.makeDirectory(step)
      case .nothing: try writer?.discard(step.entry.path)
      case .content: try restore(step, walk.extents(of: step))
      }
    }
    removed = walk.removed
    figures = walk.figures
    try comparison?.drain { try take($0) }
    try fetchPages()
  }

  private func restore(_ step: RestoreStep, _ extents: any PageMapReader) throws {
    guard let content = step.entry.file else { return }
    let isMounted = part.mounts.files.contains(step.entry.path)
    if let comparison, let found = try open(step) {
      let file = ComparedFile(step.entry, content: content, found, isMounted: isMounted)
      let isStartupFile = try !isMounted && self.isStartupFile(file)
      if isStartupFile { file.isTouched = true }
      try writer?.begin(file, isStartupFile: isStartupFile)
      return try comparison.compare(extents, of: file) { try take($0) }
    }
    guard !isMounted else {
      writer?.noteMounted(step.entry.path)
      return progress.advance(bytes: 0, files: 1)
    }
    let file = try writer?.create(step.entry, content, isPresent: step.present != nil)
    writtenFiles += 1
    var extents = extents
    while let extent = try extents.next() { try add(extent, of: content, to: file) }
    try file?.allAnnounced()
  }

  /// Adds one extent to the plan, and fetches the plan when it is full.
  private func add(_ extent: PageExtent, of content: FileContent, to file: RestoredFile?) throws {
    guard extent.location != nil else { return }
    let bytes = Pages.bytes(first: extent.first, count: extent.count, size: content.size, pageSize: content.pageSize)
    writtenBytes += bytes
    // With a writer, bytes count when they are written.
    if writer == nil { progress.advance(bytes: bytes, files: 0) }
    file?.expectExtent()
    pages.add(extent, of: content, to: file ?? nowhere)
    if pages.isFull { try fetchPages() }
  }

  // MARK: Over existing content

  /// Returns the file whose pages may be kept: one of the target, or one that an interrupted restore staged; `nil` if
  /// there is none.
  private func open(_ step: RestoreStep) throws -> ComparedFile.Found? {
    if let left = try writer?.staging.takeOver(step.entry) {
      return ComparedFile.Found(file: left, status: try left.status(), origin: .staging)
    }
    let setsOwner = plan.options.setsOwner
    // Writing to a file with other hard links would change those too.
    guard let existing, let status = step.present, status.kind == .file,
      step.entry.mayKeep(status, setsOwner: setsOwner)
    else { return nil }
    do throws(SystemError) {
      let file = try host.files.openBeneath(step.entry.path, in: existing, .read)
      let now = try file.status()
      guard now.kind == .file, step.entry.mayKeep(now, setsOwner: setsOwner) else { return nil }
      return ComparedFile.Found(file: file, status: now, origin: .target(now))
    } catch {
      guard error.isForbidden else { throw error }
      return nil
    }
  }

  /// Returns true if the file is a startup file of the target, which is removed first and restored last.
  private func isStartupFile(_ file: ComparedFile) throws -> Bool {
    guard case .target = file.found.origin, let existing else { return false }
    return try StartupFile.includes(file.entry.path, files: host.files, beneath: existing)
  }

  /// Takes the comparison results in order.
  private func take(_ stretch: ComparedStretch) throws {
    let file = stretch.file
    for extent in stretch.differing { try take(extent, of: file) }
    progress.advance(bytes: stretch.sameBytes, files: 0)
    guard stretch.isLast else { return }
    writer?.staging.verified(bytes: file.content.size - min(file.differingBytes, file.content.size))
    guard file.isTouched else {
      try writer?.adjust(file)
      return progress.advance(bytes: 0, files: 1)
    }
    guard !file.isMounted else { return writer?.noteMounted(file.entry.path) ?? () }
    writtenFiles += 1
    try file.restored?.allAnnounced()
  }

  private func take(_ extent: PageExtent, of file: ComparedFile) throws {
    file.isTouched = true
    if file.isMounted { return }
    let content = file.content
    file.differingBytes += Pages.bytes(
      first: extent.first, count: extent.count, size: content.size, pageSize: content.pageSize)
    if extent.location == nil {
      let start = extent.first * UInt64(content.pageSize)
      try file.restored?.expectZeros(start..<min(extent.end * UInt64(content.pageSize), content.size))
    }
    try add(extent, of: content, to: file.restored)
  }

  // MARK: Fetching

  private func fetchPages() throws {
    if let writer { return try writer.fetch(&pages) }
    pages.sort()
    var last: PageLocation?
    for extent in pages.extents where last?.archive != extent.location.archive || last?.frame != extent.location.frame {
      last = extent.location
      let frames = try readers.reader(extent.location.archive).frames
      guard extent.location.frame < frames.count else { continue }
      countedBytes += UInt64(frames[Int(extent.location.frame)].storedCount)
    }
    pages.removeAll()
  }
}
