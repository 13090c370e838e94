internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// What goes into one directory.
struct RestorePart {
  var selection: Selection
  let target: RestoreTarget
  /// Of pages that have to be there in the end, and are not zeros.
  var storedBytes: UInt64 = 0
  var mounts = TargetMounts()
  /// Files of the target that an interrupted restore took away, and that go because the snapshot does not have them.
  var leftovers: [Path: FileStatus] = [:]
  /// What would become of what is there.
  var figures: Restore.TargetFigures?
  /// What is added to the cluster in it.
  var recovery: RecoveryFiles?
}

/// What a restore does, whole: nothing is done by making it. A dry run prints it, with what a comparison of the pages
/// finds; `RestoreExecution` carries it out. It says what becomes of the entries all together, and holds none of them:
/// `RestoreWalk` decides on each, for whoever asks.
struct RestorePlan {
  let snapshot: Snapshot
  /// Absolute, without symbolic links.
  let target: Path
  let options: Restore.Options
  /// Where its frames lie.
  let chain: Chain
  let state: StateFile
  /// In the order in which they get their names: the directory of a cluster comes after its tablespaces.
  let parts: [RestorePart]
  let totals: RestoreTotals
  /// What would become of what is there.
  let impact: Restore.Impact

  /// Files of the target that wait since a restore that did not end, and go.
  var waitingRemovals: [Path] { parts.flatMap { $0.leftovers.keys.sorted() } }
}

/// What a plan says of all entries together.
struct RestoreTotals {
  /// Entries that the snapshot has, of those that were asked for, and the bytes of the files among them.
  var entries: UInt64 = 0
  var bytes: UInt64 = 0
  /// What is mounted below the target and not in the snapshot, and stays as it is.
  var leftAlone: [Path] = []
  /// What the snapshot does not have whole.
  var problems: [Problem] = []
  var advice = ClusterAdvice()

  mutating func add(_ entry: Entry) {
    entries += 1
    advice.notice(entry.path)
    guard let file = entry.file else { return }
    // Sparse files may claim more together than the number holds.
    let (sum, isTooMuch) = bytes.addingReportingOverflow(file.size)
    bytes = isTooMuch ? .max : sum
    if !file.consistency.isComplete { problems.append(Problem(path: entry.path, reason: file.incompleteReason)) }
  }
}
