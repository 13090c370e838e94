internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// One step of a restore: its action on one entry of the state.
struct RestoreStep {
  enum Action {
    /// The existing object is kept, whatever it is.
    case keep
    /// A directory is made, or an existing one gets the attributes of the snapshot.
    case directory
    /// The pages of a file are restored.
    case content
    /// Nothing is restored: the file could not be read when the snapshot was taken.
    case nothing
    /// A link, pipe or device is made after all files have their names.
    case special
  }

  /// The entry as it will be restored, with its path in the target.
  let entry: Entry
  /// The status of the object that the target, or an interrupted restore's staging, has at its path, if it is of the
  /// same kind; for `keep`, of any kind.
  let present: FileStatus?
  let action: Action
}

/// Decides in path order what a restore in one directory does with each entry, by walking the state and the existing
/// content side by side. The plan adds up the steps, a dry run compares the pages, and the execution restores them.
/// Each makes a walk of its own and gets the same steps, so that no plan must hold all entries.
struct RestoreWalk {
  private let reader: StateReader
  private let selection: Selection
  private let keeps: Restore.Keep
  private var leftovers: Leftovers?
  private var staged: StagedLeftovers?

  /// - Parameters:
  ///   - existing: the target, if it may have content.
  ///   - staged: the files that an interrupted restore into an empty target has left there.
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

  /// - Returns: the next step; `nil` after the last entry. Then `removed` is complete.
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

  /// Returns the complete page map of the file of the last step.
  func extents(of step: RestoreStep) -> any PageMapReader { selection.extents(of: step.entry, from: reader) }

  /// The objects that the target has and the snapshot does not have, each with its identity when it was found; for a
  /// directory only its own path.
  var removed: [(path: Path, key: FileSystem.FileKey?)] {
    leftovers.map { Array(zip($0.removed, $0.keys)) } ?? []
  }

  /// The effect on existing content; `nil` for an empty target.
  var figures: Restore.TargetFigures? { leftovers?.figures }
}
