internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

/// A share of all frames: `5%` or `5`.
struct Percentage: ExpressibleByArgument {
  let share: Double

  init?(argument: String) {
    guard let number = Double(argument.hasSuffix("%") ? String(argument.dropLast()) : argument), number > 0,
      number <= 100
    else {
      return nil
    }
    share = number / 100
  }
}

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Verify that snapshots can be restored.",
    discussion: """
      Without --data, this checks manifests, chains and states, and that every object exists. With --data it also \
      reads every stored byte, with the code that restores. For a sealed repository without an identity it checks \
      signatures, chains and presence, and with --data every stored byte against the signed digests. If several \
      repositories are configured and none is named, all are verified.

      \(HelpEnd.text("holdfast verify --data", "holdfast verify latest --data --junit verify.xml"))
      """)

  @Argument(
    help:
      "The snapshot, with everything it builds on: latest, an ID, or the beginning of an ID. (default: all snapshots)",
    completion: Candidates.snapshots)
  var snapshot: SnapshotSelector.Name?

  @Flag(help: "Read and verify every stored byte.")
  var data = false

  @Option(help: ArgumentHelp("Read and verify a random share of the frames, such as 5%.", valueName: "n%"))
  var sample: Percentage?

  @Option(help: ArgumentHelp("Write the result to this file, as JUnit XML.", valueName: "file"), completion: .file())
  var junit: String?

  @Option(
    help: ArgumentHelp(
      "Fail unless this snapshot, by ID or manifest digest, is the newest of its source.", valueName: "snapshot"),
    completion: Candidates.snapshots)
  var expectHead: String?

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var copy: CopyOptions
  @OptionGroup var identity: IdentityOptions
  @OptionGroup var rate: RateOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    guard expectHead != "" else {
      throw EngineError(
        .usage, "the snapshot that is expected to be the newest is empty",
        hint: "Say its ID, as `holdfast backup --json` reports it.", exitStatus: .usage)
    }
    let machine = location.machine(output)
    let contexts: [RepositoryContext]
    do {
      contexts = try location.contexts(
        machine, identity: identity, writer: writer, of: source.name,
        isForOne: snapshot != nil || expectHead != nil || copy.from != nil)
    } catch {
      // Whoever is told of runs is told of this one, too.
      try? output.watch(.verify, machine).run { () throws -> Void in throw error }
      throw replacingJUnit(error, machine)
    }
    guard contexts.count > 1 else { return try verifyOne(contexts[0]) }
    try verifyAll(contexts, machine)
  }

  private func verifyOne(_ context: RepositoryContext) throws {
    let machine = context.machine
    let report: Verify.Report
    do {
      report = try verify(context)
    } catch {
      throw replacingJUnit(error, machine)
    }
    if output.json { try Console.json(VerifyJSON(report), machine) }
    if !output.json, !output.quiet { Console.transfer(machine) }
    try end(report.exitStatus, machine, JUnitReport.xml(report))
  }

  /// Verifies all repositories; one that cannot be opened does not stop the others.
  private func verifyAll(_ contexts: [RepositoryContext], _ machine: MachineContext) throws {
    let all = try SeveralRepositories(contexts) { context in
      if !output.json, !output.quiet {
        Console.output(context.heading)
      }
      let report = try verify(context)
      return (report, report.exitStatus)
    }
    all.tellFailures()
    if output.json { try Console.json(all.json { VerifyJSON($0) }, machine) }
    if !output.json, !output.quiet { Console.transfer(machine) }
    try end(all.status, machine, JUnitReport.xml(all.parts.map { ($0.name, $0.result) }))
  }

  /// Writes the file of JUnit, and ends the command.
  private func end(_ status: ExitStatus, _ machine: MachineContext, _ xml: @autoclosure () -> String) throws {
    do {
      try writeJUnit(xml(), machine)
    } catch let error as any OperatorError where status != .done {
      // The result matters more than a file that could not be written.
      Console.error("holdfast: \(error)")
    }
    try Outcome.end(status)
  }

  /// Writes the error that ends the command into the file of JUnit, so that no earlier verify says that all is well.
  private func replacingJUnit(_ error: any Error, _ machine: MachineContext) -> any Error {
    // The error is reported all the same.
    try? writeJUnit(JUnitReport.xml(failure: describe(error).message), machine)
    return error
  }

  private func writeJUnit(_ xml: @autoclosure () -> String, _ machine: MachineContext) throws {
    guard let junit else { return }
    try JUnitReport.write(xml(), to: try machine.environment.absolute(junit), files: machine.host.files)
  }

  /// Verifies one repository, as a run of its own, and shows the result except as JSON.
  private func verify(_ context: RepositoryContext) throws -> Verify.Report {
    let watch = output.watch(.verify, context.machine)
    return try watch.run {
      let report = try verify(context, watch)
      watch.status = report.exitStatus
      return report
    }
  }

  private func verify(_ context: RepositoryContext, _ watch: RunWatch) throws -> Verify.Report {
    let machine = context.machine
    let repository = try context.open(
      copy, .one, limit: rate.limit(machine), for: source.name, looksAround: source.name == nil
    ).uncached
    watch.opened(repository, source: source.name)
    let progress = watch.makeProgress()
    defer { progress.end() }
    var options = Verify.Options()
    options.readsData = data || sample != nil
    options.share = sample?.share ?? 1
    options.expectedHead = expectHead
    let chosen = try snapshot.map {
      try SnapshotSelector($0, source: source.name).choose(in: repository.catalog) { progress.warn($0.message) }
    }
    if let chosen {
      watch.parts = [RunRecord.Part(of: chosen)]
    } else if source.name == nil {
      watch.parts = try repository.catalog.sourceNames().map { RunRecord.Part($0) }
    }
    let report = try Verify(repository: repository, options: options, progress: progress).run(
      chosen, source: source.name)
    // Notes in a copy would not be a revision of the repository's notes.
    var unnoted: (any Error)?
    do {
      if !copy.olderCopy, repository.isHome {
        try repository.notes.notePassed(report, share: options.readsData ? options.share : 0)
      }
    } catch {
      unnoted = error
    }
    progress.end()
    watch.parts = RunRecord.parts(of: report, chosen, share: options.readsData ? options.share : 0)
    show(report)
    if report.exitStatus != .done, !RepositoryTargets(context).others.isEmpty {
      Console.hint("Run `holdfast scrub --repair`: it replaces what is damaged by what another target has sound.")
    } else if report.isRepairableFromParity {
      Console.hint("Run `holdfast scrub --repair`: it writes anew what is damaged.")
    }
    if let from = copy.from, let problem = context.rememberDamage(report, at: from, repository) {
      progress.warn(problem)
    }
    // The result counts even if it could not be noted.
    if let unnoted {
      progress.warn("what was found is not noted in the repository: \(describe(unnoted).message)")
    }
    return report
  }

  /// Shows findings on standard error, and the result on standard output unless that is for JSON.
  private func show(_ report: Verify.Report) {
    for damage in report.unreadable { Console.error("holdfast: DAMAGED: \(damage.message)", .red) }
    for result in report.snapshots {
      let name = "\(result.snapshot.id.short) (\(result.snapshot.sourceName), number \(result.snapshot.sequence))"
      for finding in result.findings {
        let label = finding.costsData ? "DAMAGED" : "REPAIRABLE"
        Console.error(
          "holdfast: \(label): \(name): \(finding.message)", finding.costsData ? .red : .yellow)
      }
      for path in result.damagedFiles { Console.error("holdfast:   loses data: \(path)", .red) }
    }
    for log in report.logs {
      for finding in log.findings {
        let label = finding.costsData ? "DAMAGED" : finding.isGap ? "GAP" : "REPAIRABLE"
        Console.error(
          "holdfast: \(label): the log of \(log.source): \(finding.message)", finding.costsData ? .red : .yellow)
      }
    }
    for other in report.others {
      switch other.level {
      case .note: if !output.quiet { Console.error("holdfast: NOTE: \(other.message)") }
      case .repairable: Console.error("holdfast: REPAIRABLE: \(other.message)", .yellow)
      case .dataLoss: Console.error("holdfast: DAMAGED: \(other.message)", .red)
      }
    }
    if !report.unreadable.isEmpty || report.snapshots.contains(where: { !$0.isSound }) {
      let sound = report.snapshots.filter(\.isSound)
      Console.hint(
        sound.isEmpty
          ? "No snapshot is sound. Take a new one at once: `holdfast backup SOURCE --full`."
          : "\(Amount.count(UInt64(sound.count), "snapshot is", "snapshots are")) sound, the newest \(sound.last?.snapshot.id.short ?? ""). Take a new full: `holdfast backup SOURCE --full`."
      )
    }
    let findings = report.logs.flatMap(\.findings)
    if findings.contains(where: { $0.costsData || $0.isGap }) {
      Console.hint(
        "Recovery reaches no further than a sound log: take a snapshot now. `holdfast wal status` shows how far.")
    }
    if findings.contains(where: { !$0.costsData && !$0.isGap }) {
      Console.hint("Where another copy is sound nothing is lost: `holdfast prune` removes the damaged one.")
    }
    guard !output.json, !output.quiet else { return }
    showLogs(report)
    let soundCount = report.snapshots.count { $0.isSound }
    let proved =
      data || sample != nil
      ? "; \(Amount.bytes(report.provenBytes)) in \(Amount.count(report.provenFrames, "frame")) read and proved" : ""
    let closedCount = report.snapshots.count { $0.isClosed }
    let closed =
      (data || sample != nil ? "signatures and stored bytes" : "signatures and presence")
      + " are proved, no page and no state"
    if report.isClosed {
      Console.output("sealed, and no identity was named: \(closed)")
    } else if closedCount > 0 {
      let those = Amount.count(UInt64(closedCount), "snapshot is", "snapshots are")
      Console.output("\(those) sealed to others than the identity at hand: there \(closed)")
    }
    Console.output(
      "\(soundCount) of \(Amount.count(UInt64(report.snapshots.count + report.unreadable.count), "snapshot")) sound\(proved), in \(Amount.duration(report.duration))"
    )
  }
}

extension VerifyCommand {
  private func showLogs(_ report: Verify.Report) {
    for log in report.logs {
      let proved = data || sample != nil ? "; \(Amount.bytes(log.provenBytes)) read and proved" : ""
      let closed =
        log.isClosed ? " (sealed: signatures and \(data || sample != nil ? "stored bytes" : "presence") only)" : ""
      Console.output(
        "the log of \(log.source), cluster \(log.system): \(log.soundFiles) of \(Amount.count(log.files, "file")) sound\(proved)\(closed)"
      )
    }
  }
}
