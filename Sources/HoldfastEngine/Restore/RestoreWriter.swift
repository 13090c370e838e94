internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Makes directories and files in the staging directory, and writes pages from the repository to them, as
/// `RestoreContents` tells it.
final class RestoreWriter {
  let staging: StagingArea
  private let part: RestorePart
  /// The target, if it may have content.
  private let existing: OpenFile?
  private let keepsAll: Bool
  private let files: FileSystem
  private let fetcher: PageFetcher
  private let progress: any ProgressObserver
  /// The stored bytes that were read from the repository.
  private(set) var readBytes: UInt64 = 0
  /// The identities of the directories of the target when their contents were examined, in the order of the state;
  /// `nil` for directories that do not exist.
  private(set) var directories: [FileSystem.FileKey?] = []
  /// For each entry in the order of the state, whether the plan keeps what is there; empty if it keeps nothing.
  private(set) var kept: [Bool] = []
  /// True if a startup file of the target was removed already.
  private(set) var hasRemoved = false
  /// The directories above the current entry that keep their attributes, and that their owner may not read, write or
  /// enter. They are made writable for a while if something in them must be restored.
  private var closed: [(path: Path, status: FileStatus)] = []

  init(
    _ part: RestorePart, staging: StagingArea, over existing: OpenFile?, keeps: Restore.Keep, readers: ArchiveReaders,
    host: Host, progress: any ProgressObserver
  ) {
    (self.part, self.staging, self.existing, files) = (part, staging, existing, host.files)
    keepsAll = keeps == .everything
    self.progress = progress
    fetcher = PageFetcher(readers: readers, host: host, isVerifying: false)
  }

  /// Must be called after an error too: what is staged is removed then, so that no worker may add to it.
  func stop() { fetcher.stop() }

  func fetch(_ pages: inout PagePlan) throws {
    try fetcher.fetch(&pages) { fetched in
      if let failure = fetched.failure { throw failure }
      readBytes += fetched.storedBytes
      progress.advance(bytes: fetched.pageBytes, files: staging.takeCompleted())
    }
  }

  // MARK: Directories

  /// Begins the next entry: records what is kept and the identities of directories, and makes directories writable in
  /// which something must be restored.
  func enter(_ step: RestoreStep) throws {
    guard existing != nil else { return }
    if keepsAll { kept.append(step.action == .keep) }
    let path = step.entry.path
    if step.entry.content == .directory, !path.isEmpty {
      directories.append(step.present.map { FileSystem.FileKey($0) })
    }
    while let last = closed.last, !last.path.contains(path) { closed.removeLast() }
    if let parent = closed.last, parent.path == path.parent, step.action != .keep,
      step.present == nil || part.selection.isSelected(path)
    {
      try staging.makeWritable(parent.path, knownAs: parent.status, isForNow: true)
    }
    guard let present = step.present, present.kind == .directory, present.mode & 0o700 != 0o700, !path.isEmpty,
      keepsAll || !part.selection.isSelected(path)
    else { return }
    closed.append((path, present))
  }

  func makeDirectory(_ step: RestoreStep) throws {
    let path = step.entry.path
    guard !path.isEmpty else { return }
    if existing == nil { return try staging.makeDirectory(path) }
    if let present = step.present, part.selection.isSelected(path) {
      try staging.makeWritable(path, knownAs: present)
    }
  }

  // MARK: Files

  /// Removes a file that an interrupted restore staged at this path: it belongs to another snapshot.
  func discard(_ path: Path) throws { try staging.discard(path) }

  /// Begins a new file.
  /// - Parameter isPresent: true if the target has an object there that cannot be kept.
  func create(_ entry: Entry, _ content: FileContent, isPresent: Bool) throws -> RestoredFile {
    if let existing, isPresent, try StartupFile.includes(entry.path, files: files, beneath: existing) {
      try TreeRemoval.remove(entry.path, in: existing, files: files)
      hasRemoved = true
    }
    return RestoredFile(entry, content: content, origin: .nothing, staging: staging)
  }

  /// Begins a file whose existing pages may be kept.
  /// - Parameter isStartupFile: true if it is moved away before anything else changes.
  func begin(_ file: ComparedFile, isStartupFile: Bool) throws {
    guard !file.isMounted else { return }
    let restored = RestoredFile(file.entry, content: file.content, origin: file.found.origin, staging: staging)
    file.restored = restored
    if isStartupFile { try restored.takeAway() }
  }

  /// Sets the attributes of an existing file with the right content, through its descriptor: its name may lead to
  /// another file by now.
  func adjust(_ file: ComparedFile) throws {
    guard !staging.attributes.matches(file.entry, file.found.status, of: file.found.file) else { return }
    staging.attributes.apply(file.entry, to: file.found.file)
  }

  func noteMounted(_ path: Path) {
    staging.attributes.note(
      path, "it is mounted by itself and not as in the snapshot: unmount it, and run the same command again")
  }
}
