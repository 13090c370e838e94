internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// What a restore does with one entry of the state.
struct RestoreStep {
  enum Action {
    /// What is there stays, whatever it is.
    case keep
    /// A directory is made, or the one that is there gets the attributes of the snapshot.
    case directory
    /// The pages of a file are restored.
    case content
    /// A file that could not be read when the snapshot was taken: nothing comes back.
    case nothing
    /// A link, pipe or device is made when all files have their names.
    case special
  }

  /// As it is to be restored, with its path in the target.
  let entry: Entry
  /// What the target has at its path, or what an interrupted restore has staged of it, where that is of the same kind;
  /// where everything is kept, whatever it is.
  let present: FileStatus?
  let action: Action
}

/// Decides, entry by entry in path order, what a restore does in one directory: it walks the state beside what is
/// there. The plan sums up what it says, a dry run compares the pages of its files, and the execution restores them:
/// each walks anew, so that no plan holds the entries, and all hear the same.
struct RestoreWalk {
  private let reader: StateReader
  private let selection: Selection
  private let keeps: Restore.Keep
  private var leftovers: Leftovers?
  private var staged: StagedLeftovers?

  /// - Parameters:
  ///   - existing: the target, where it is restored over.
  ///   - staged: what an interrupted restore into an empty target has left there.
  init(
    _ state: StateFile, _ part: RestorePart, over existing: OpenFile?, staged: StagedLeftovers? = nil,
    keeps: Restore.Keep, host: Host
  ) {
    reader = state.makeReader()
    selection = part.selection
    self.keeps = keeps
    leftovers = existing.map {
      Leftovers(root: $0, host: host, selection: part.selection, keeps: keeps, mounts: part.mounts)
    }
    self.staged = staged
  }

  /// - Returns: `nil` after the last entry: then everything is known that goes.
  mutating func next() throws -> RestoreStep? {
    while let entry = try reader.nextEntry() {
      guard let wanted = selection.resolve(entry) else { continue }
      let present = try leftovers?.advance(to: wanted) ?? staged?.advance(to: wanted)
      return RestoreStep(entry: wanted, present: present, action: action(wanted, isPresent: present != nil))
    }
    try leftovers?.finish()
    try staged?.finish()
    return nil
  }

  private func action(_ entry: Entry, isPresent: Bool) -> RestoreStep.Action {
    if keeps == .everything, isPresent || leftovers?.belongsToKeptDatabase(entry.path) == true { return .keep }
    switch entry.content {
    case .directory: return .directory
    case .file(let content): return content.consistency == .unreadable ? .nothing : .content
    case .hardLink, .symbolicLink, .fifo, .characterDevice, .blockDevice: return .special
    }
  }

  /// The complete map of the file of the last step.
  func extents(of step: RestoreStep) -> any PageMapReader { selection.extents(of: step.entry, from: reader) }

  /// What the target has and the snapshot has not, of a directory only its own path; and what each was when it was
  /// found.
  var removed: [(path: Path, key: FileSystem.FileKey?)] {
    leftovers.map { Array(zip($0.removed, $0.keys)) } ?? []
  }

  /// What becomes of what is there; `nil` where nothing is restored over.
  var figures: Restore.TargetFigures? { leftovers?.figures }
}
