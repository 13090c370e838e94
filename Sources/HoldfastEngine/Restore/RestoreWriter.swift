internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Makes what `RestoreContents` finds to be made: directories and files in the staging directory, and in them the pages
/// that come from the repository.
final class RestoreWriter {
  let staging: StagingArea
  private let part: RestorePart
  /// The target, where it is restored over.
  private let existing: OpenFile?
  private let keepsAll: Bool
  private let files: FileSystem
  private var fetcher: PageFetcher?
  /// Stored bytes read from the repository.
  private(set) var readBytes: UInt64 = 0
  /// What the directories of the target were when what lies in them was looked at, in the order of the state; `nil` for
  /// those that are not there.
  private(set) var directories: [FileSystem.FileKey?] = []
  /// Whether something of the target was removed already.
  private(set) var hasRemoved = false
  /// Directories on the way to what is looked at that are not changed themselves, and in which their owner may not
  /// write.
  private var closed: [(path: Path, status: FileStatus)] = []

  init(
    _ part: RestorePart, staging: StagingArea, over existing: OpenFile?, keeps: Restore.Keep, readers: ArchiveReaders,
    host: Host, progress: any ProgressObserver
  ) {
    (self.part, self.staging, self.existing, files) = (part, staging, existing, host.files)
    keepsAll = keeps == .everything
    // Also after an error: what is staged is removed then, and no worker may go on adding to it.
    fetcher = PageFetcher(readers: readers, host: host, isProving: false) { [unowned self] fetched in
      if let failure = fetched.failure { throw failure }
      readBytes += fetched.storedBytes
      progress.advance(bytes: fetched.pageBytes, files: staging.takeCompleted())
    }
  }

  func stop() { fetcher?.stop() }

  func fetch(_ pages: inout PagePlan) throws { try fetcher?.fetch(&pages) }

  // MARK: Directories

  /// Comes to the next entry: remembers the directories of the target, and makes it possible to restore something in
  /// those that are closed.
  func enter(_ step: RestoreStep) throws {
    guard existing != nil else { return }
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

  /// What an interrupted restore left of a file that does not come back is of another snapshot.
  func discard(_ path: Path) throws { try staging.discard(path) }

  /// Begins a file that is written anew.
  /// - Parameter isPresent: whether the target has one that cannot be kept.
  func create(_ entry: Entry, _ content: FileContent, isPresent: Bool) throws -> RestoredFile {
    if let existing, isPresent, try StartupFile.includes(entry.path, files: files, beneath: existing) {
      try TreeRemoval.remove(entry.path, in: existing, files: files)
      hasRemoved = true
    }
    return RestoredFile(entry, content: content, origin: .nothing, staging: staging)
  }

  /// Begins a file of which pages may be kept.
  /// - Parameter isStartupFile: whether it is taken away from under its name before anything else changes.
  func begin(_ file: ComparedFile, isStartupFile: Bool) throws {
    guard !file.isMounted else { return }
    let restored = RestoredFile(file.entry, content: file.content, origin: file.found.origin, staging: staging)
    file.restored = restored
    if isStartupFile { try restored.takeAway() }
  }

  /// Gives what was compared, and is right, its attributes, whatever has its name by now.
  func adjust(_ file: ComparedFile) throws {
    guard
      !staging.attributes.matches(file.entry, file.found.status)
        // What cannot be read is named when it is set.
        || (try? file.found.file.extendedAttributes()) != file.entry.attributes.extended
    else { return }
    staging.attributes.apply(file.entry, to: file.found.file)
  }

  func noteMounted(_ path: Path) {
    staging.attributes.note(
      path, "it is mounted by itself and not as in the snapshot: unmount it, and run the same command again")
  }
}
