internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Carries out the plan of a restore. All parts are staged before the files of the first get their names, so that after
/// an interruption the same command can continue.
final class RestoreExecution {
  private final class Running {
    let part: RestorePart
    let made: MadeDirectories
    let target: OpenFile
    let writer: RestoreWriter
    let contents: RestoreContents
    var isDone = false
    var staging: StagingArea { writer.staging }

    init(
      _ part: RestorePart, _ made: MadeDirectories, _ target: OpenFile, _ writer: RestoreWriter,
      _ contents: RestoreContents
    ) {
      (self.part, self.made, self.target, self.writer, self.contents) = (part, made, target, writer, contents)
    }
  }

  private let plan: RestorePlan
  private let options: Restore.Options
  private let readers: ArchiveReaders
  private let host: Host
  private let progress: any ProgressObserver
  private var running: [Running] = []
  private var isPublishing = false

  init(_ plan: RestorePlan, readers: ArchiveReaders, host: Host, progress: any ProgressObserver) {
    (self.plan, options, self.readers, self.host, self.progress) = (plan, plan.options, readers, host, progress)
  }

  func run(_ report: inout Restore.Report) throws {
    do {
      // In reverse order: the cluster loses its startup file before its tablespaces change.
      for part in plan.parts.reversed() { try stage(part, &report) }
      for part in running { try checkNothingCame(part) }
      isPublishing = true
      for part in running.reversed() { try publish(part) }
    } catch {
      for part in running { part.contents.stop() }
      for part in running where !part.isDone { giveUp(part, error) }
      throw error
    }
    for part in running { report.problems += part.staging.attributes.problems }
  }

  // MARK: Staging

  private func stage(_ part: RestorePart, _ report: inout Restore.Report) throws {
    progress.begin(phase: "restoring", totalBytes: part.storedBytes)
    let running = try begin(part)
    self.running.append(running)
    let (contents, staging) = (running.contents, running.staging)
    try contents.run()
    try part.recovery?.stage(in: staging, over: options.isDelta ? running.target : nil, files: host.files)
    progress.begin(phase: "making durable", totalBytes: nil)
    try staging.synchronize()
    contents.stop()
    contents.fill(&report)
  }

  private func begin(_ part: RestorePart) throws -> Running {
    var made = MadeDirectories(files: host.files)
    let target: OpenFile
    let staging: StagingArea
    do {
      target = try made.makeTarget(part.target)
      staging = try StagingArea(
        in: target, mounts: part.mounts.restored, files: host.files, setsOwner: options.setsOwner,
        isDelta: options.isDelta)
    } catch {
      made.takeBack()
      throw error
    }
    do {
      // Checked once more: from now on no other restore can add to it.
      _ = try UnfinishedRestore.leftovers(
        in: target, part.mounts.restored, options, part.selection, of: plan.state, files: host.files)
      try staging.write(RestoreRecord(options, of: plan.snapshot.id))
      let existing = options.isDelta ? target : nil
      let writer = RestoreWriter(
        part, staging: staging, over: existing, keeps: options.keeps, readers: readers, host: host, progress: progress)
      let contents = RestoreContents(
        plan, part, over: existing, writer: writer, readers: readers, host: host, progress: progress)
      if !staging.keepsAttributes {
        progress.warn(
          "the file system of \(target.fullPath) shows other owners or modes than files are given: who can read and change what is restored there is up to how it is mounted"
        )
      }
      return Running(part, made, target, writer, contents)
    } catch {
      if (try? staging.isUnused()) ?? false {
        try? staging.remove()
        made.takeBack()
      }
      throw error
    }
  }

  // MARK: Names

  /// Refuses if more would be removed than was planned: nobody has agreed to the removal of what came into the target
  /// after that.
  private func checkNothingCame(_ running: Running) throws {
    let (planned, found) = (running.part.figures?.removed ?? 0, running.contents.figures?.removed ?? 0)
    guard found > planned else { return }
    throw EngineError(
      .machine,
      "something came into \(running.target.fullPath) after it was looked at: \(Amount.count(found, "entry", "entries")) would be removed, not \(planned)",
      hint: "See what writes there, then run the same command again.")
  }

  private func publish(_ running: Running) throws {
    let (part, target, staging) = (running.part, running.target, running.staging)
    for (gone, key) in running.contents.removed {
      try TreeRemoval.remove(gone, in: target, knownAs: key, files: host.files)
    }
    if options.isDelta { try part.recovery?.publish(staging) }
    let publisher = Publisher(
      state: plan.state, selection: part.selection, root: options.isDelta ? target : staging.directory,
      staging: staging,
      isDelta: options.isDelta, keepsAll: options.keeps == .everything, kept: running.writer.kept,
      directories: running.writer.directories, host: host)
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

  // MARK: Failure

  /// Keeps the staging directory if the same command can continue from it. Otherwise, as when the restore was refused
  /// before it changed anything, removes what it made.
  private func giveUp(_ running: Running, _ error: any Error) {
    let (target, staging) = (running.target, running.staging)
    staging.closeAgain()
    let isUnused = (try? staging.isUnused()) ?? false
    let isOfMachine = error is Interrupted || error is SystemError
    // A plain restore with tablespaces: if one already has its names, the same command would refuse it.
    let foreignCount = (try? RestoreTarget.foreignCount(in: target, files: host.files)) ?? 1
    let isPublished =
      options.isDelta
      ? isPublishing || running.writer.hasRemoved : foreignCount > 0 || self.running.contains(where: \.isDone)
    guard isPublished || (!isUnused && (options.isDelta || isOfMachine)) else {
      try? staging.remove()
      return running.made.takeBack()
    }
    let place = target.fullPath.appending(StagingArea.name.bytes)
    let total = plan.totals.bytes
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
