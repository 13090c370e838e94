internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The part of a restore that goes into one directory.
struct RestorePart {
  var selection: Selection
  let target: RestoreTarget
  /// The bytes of nonzero pages that the restored files will have.
  var storedBytes: UInt64 = 0
  var mounts = TargetMounts()
  /// The files of the target that an interrupted restore moved away, and that are removed because the snapshot does not
  /// have them.
  var leftovers: [Path: FileStatus] = [:]
  /// The effect on existing content.
  var figures: Restore.TargetFigures?
  /// The files that are added to the cluster so that it recovers.
  var recovery: RecoveryFiles?
}

/// The complete plan of a restore. Making it changes nothing. A dry run prints it with the result of comparing pages;
/// `RestoreExecution` carries it out. It contains totals, not entries: `RestoreWalk` decides about each entry.
struct RestorePlan {
  let snapshot: Snapshot
  /// The absolute path, without symbolic links.
  let target: Path
  let options: Restore.Options
  /// The archives that contain the frames.
  let readers: ArchiveReaders
  let state: StateFile
  /// The parts, in the order in which they get their names: the directory of a cluster comes after its tablespaces.
  let parts: [RestorePart]
  let totals: RestoreTotals
  /// The databases whose files are restored as zeros.
  let zeroedDatabases: [ClusterDatabase]
  /// The effect on existing content.
  let impact: Restore.Impact

  /// The files of the target that an interrupted restore moved away, and that are removed.
  var waitingRemovals: [Path] { parts.flatMap { $0.leftovers.keys.sorted() } }
}

/// The figures of a plan over all entries.
struct RestoreTotals {
  /// The number of selected entries of the snapshot, and the bytes of the files among them.
  var entries: UInt64 = 0
  var bytes: UInt64 = 0
  /// The mounts below the target that the snapshot does not have. They are left alone.
  var leftAlone: [Path] = []
  /// The entries that the snapshot does not have whole.
  var problems: [Problem] = []
  var advice = ClusterAdvice()

  mutating func add(_ entry: Entry) {
    entries += 1
    advice.notice(entry.path)
    guard let file = entry.file else { return }
    // Sparse files may claim more bytes together than the number can hold.
    let (sum, isTooMuch) = bytes.addingReportingOverflow(file.size)
    bytes = isTooMuch ? .max : sum
    if !file.consistency.isComplete { problems.append(Problem(path: entry.path, reason: file.incompleteReason)) }
  }
}
