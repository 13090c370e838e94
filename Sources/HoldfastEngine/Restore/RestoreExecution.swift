internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// What goes into one directory.
struct RestorePart {
  var selection: Selection
  let place: RestoreTarget
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

/// Brings the parts of a restore back. All of them are made whole before the first gets its names: an interrupted restore so goes on by the same command.
final class RestoreExecution {
  private final class Running {
    let part: RestorePart
    let made: MadeDirectories
    let target: OpenFile
    let staging: StagingArea
    let plan: RestorePlan
    var isDone = false

    init(_ part: RestorePart, _ made: MadeDirectories, _ target: OpenFile, _ staging: StagingArea, _ plan: RestorePlan)
    {
      (self.part, self.made, self.target, self.staging, self.plan) = (part, made, target, staging, plan)
    }
  }

  private let state: StateFile
  private let record: RestoreRecord
  private let options: Restore.Options
  private let host: Host
  private let progress: any ProgressObserver
  private var running: [Running] = []
  private var isPublishing = false

  init(
    state: StateFile, record: RestoreRecord, options: Restore.Options, host: Host, progress: any ProgressObserver
  ) {
    (self.state, self.record, self.options, self.host, self.progress) = (state, record, options, host, progress)
  }

  /// - Parameter parts: in the order in which they get their names.
  func run(_ parts: [RestorePart], readers: ArchiveReaders, _ report: inout Restore.Report) throws {
    do {
      // A cluster loses the file without which no server starts before its tablespaces change.
      for part in parts.reversed() { try stage(part, readers, &report) }
      isPublishing = true
      for part in running.reversed() { try publish(part) }
    } catch {
      for part in running { part.plan.stop() }
      for part in running where !part.isDone { giveUp(part, total: report.bytes, error) }
      throw error
    }
    for part in running { report.problems += part.staging.attributes.problems }
  }

  // MARK: Making it whole

  private func stage(_ part: RestorePart, _ readers: ArchiveReaders, _ report: inout Restore.Report) throws {
    progress.begin(phase: "restoring", totalBytes: part.storedBytes)
    let running = try begin(part)
    self.running.append(running)
    let (plan, staging) = (running.plan, running.staging)
    try plan.run(readers: readers, isDryRun: false)
    try part.recovery?.stage(in: staging, over: options.isDelta ? running.target : nil, files: host.files)
    progress.begin(phase: "making durable", totalBytes: nil)
    try staging.synchronize()
    plan.stop()
    plan.fill(&report)
  }

  private func begin(_ part: RestorePart) throws -> Running {
    var made = MadeDirectories(files: host.files)
    let target: OpenFile
    let staging: StagingArea
    do {
      target = try made.makeTarget(part.place)
      staging = try StagingArea(
        in: target, mounts: part.mounts.restored, files: host.files, setsOwner: options.setsOwner,
        isDelta: options.isDelta)
    } catch {
      made.takeBack()
      throw error
    }
    do {
      // Again: nobody else can add to it any more.
      _ = try UnfinishedRestore.leftovers(
        in: target, part.mounts.restored, options, part.selection, of: state, files: host.files)
      try staging.write(record)
      let plan = try RestorePlan(
        state: state, selection: part.selection, existing: options.isDelta ? target : nil, keeps: options.keeps,
        mounts: part.mounts, staging: staging, setsOwner: options.setsOwner, host: host, progress: progress)
      if !staging.keepsAttributes {
        progress.warn(
          "the file system of \(target.fullPath) shows other owners or modes than files are given: who can read and change what is restored there is up to how it is mounted"
        )
      }
      return Running(part, made, target, staging, plan)
    } catch {
      if (try? staging.isUnused()) ?? false {
        try? staging.remove()
        made.takeBack()
      }
      throw error
    }
  }

  // MARK: Names

  private func publish(_ running: Running) throws {
    let (part, target, staging, plan) = (running.part, running.target, running.staging, running.plan)
    for (gone, key) in zip(plan.removed, plan.removedKeys) {
      try TreeRemoval.remove(gone, in: target, knownAs: key, files: host.files)
    }
    if options.isDelta { try part.recovery?.publish(staging) }
    let publisher = Publisher(
      state: state, selection: part.selection, root: options.isDelta ? target : staging.directory, staging: staging,
      isDelta: options.isDelta, keepsAll: options.keeps == .everything, directories: plan.directories, host: host)
    try publisher.run()
    staging.closeAgain()
    if options.isDelta {
      try staging.remove()
    } else {
      try staging.publishAll()
      try publisher.finishTopDirectories(in: target)
    }
    if running.made.isAny || (part.selection.isEverything && options.keeps != .everything),
      let root = try part.selection.root()
    {
      staging.attributes.apply(root, to: target)
    }
    try staging.synchronize()
    running.isDone = true
  }

  // MARK: The end before the end

  /// What is staged stays where the same command can go on from it; nothing stays of what was refused before anything was done.
  /// - Parameter total: bytes of what is restored.
  private func giveUp(_ running: Running, total: UInt64, _ error: any Error) {
    let (target, staging) = (running.target, running.staging)
    staging.closeAgain()
    let isUnused = (try? staging.isUnused()) ?? false
    let isOfMachine = error is Interrupted || error is SystemError
    // Of a plain restore with tablespaces, whatever of it has a name already is in the way of the same command.
    let foreignCount = (try? RestoreTarget.foreignCount(in: target, files: host.files)) ?? 1
    let isPublished =
      options.isDelta
      ? isPublishing || running.plan.hasRemoved : foreignCount > 0 || self.running.contains(where: \.isDone)
    guard isPublished || (!isUnused && (options.isDelta || isOfMachine)) else {
      try? staging.remove()
      return running.made.takeBack()
    }
    let place = target.fullPath.appending(StagingArea.name.bytes)
    let share = "\(Amount.bytes(min(staging.provedBytes, total))) of \(Amount.bytes(total))"
    if options.isDelta {
      progress.warn(
        "\(target.fullPath) is unfinished: \(share) are there; run the same command again to end it, and leave \(place) as it is: files of the target wait in it"
      )
    } else if isPublished {
      progress.warn(
        "\(target.fullPath) is unfinished, the rest is in \(StagingArea.name) in it; run the same command again with --delta"
      )
    } else {
      progress.warn(
        "\(target.fullPath) is unfinished: \(share) are there; run the same command again to go on, or remove \(place) to begin anew"
      )
    }
  }
}
