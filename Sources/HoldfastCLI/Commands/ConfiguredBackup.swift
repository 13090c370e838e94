internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastSystem

/// `holdfast backup` for configured sources: all of them, or one by its name.
extension BackupCommand {
  /// - Returns: the sources to back up; `nil` when a directory or a command is named.
  func configuredSources(
    _ machine: MachineContext
  ) throws -> (run: ConfiguredRun, sources: [SourceSettings], isOne: Bool)? {
    guard command.fromCommand == nil else { return nil }
    guard let source else {
      let settings = try machine.neededSettings(flags: flags, for: "sources to back up")
      let run = ConfiguredRun(
        settings: settings, machine: machine, observer: output.observer(machine), linger: targets.linger)
      return (run, try run.sources(name.map { [$0] } ?? []), name != nil)
    }
    // An existing directory is meant as a directory, even if a source has its name.
    guard !Path(source).bytes.contains(Path.separator), let wanted = SourceName(source),
      (try? machine.host.files.status(of: machine.environment.absolute(source), followLink: true)) == nil
    else { return nil }
    let loader = try machine.loader()
    guard let settings = try loader.load(flags: flags), settings.source(source) != nil else {
      if let forbidden = loader.forbidden {
        throw ForbiddenConfiguration(
          "there is no directory \(source) here", forbidden, instead: "Name a directory that is there")
      }
      return nil
    }
    guard name == nil else {
      throw EngineError(
        .usage, "\(source) is a configured source, and has its name already", hint: "Leave --name out.",
        exitStatus: .usage)
    }
    let run = ConfiguredRun(
      settings: settings, machine: machine, observer: output.observer(machine), linger: targets.linger)
    return (run, try run.sources([wanted]), true)
  }

  fileprivate typealias Taken = (report: Backup.Report, copies: SnapshotCopies?, tags: Set<Tag>)

  func backUp(_ run: ConfiguredRun, _ sources: [SourceSettings], isOne: Bool) throws {
    var reports: [SourceName: Taken] = [:]
    let outcomes = run.forEach(sources) { source in
      let outcome = run.run(.backup, source, isDryRun: dryRun) { watch in
        let (report, copies) = try backUp(source, run, watch, isOne: isOne)
        reports[source.name] = (report, copies, source.tags)
        return SourceOutcome(
          source: source.name, status: max(report.exitStatus, copies?.exitStatus ?? .done),
          summary: report.summary + (copies.map { "; \($0.summary)" } ?? ""))
      }
      if isOne { return outcome }
      let console = output.observer(run.machine)
      console.tellWhy(outcome)
      console.say("\(outcome.source): \(outcome.summary)")
      return outcome
    }
    if isOne {
      if let error = outcomes.first?.error { throw error }
      if let taken = reports.values.first { try show(taken.report, taken.copies, tags: taken.tags, run.machine) }
    } else if output.json {
      try Console.json(
        BackupsJSON(
          outcomes.map { outcome in
            BackupOutcomeJSON(
              source: outcome.source, status: outcome.status, error: outcome.error,
              backup: reports[outcome.source].map { BackupJSON($0.report, tags: $0.tags, targets: $0.copies?.json) })
          }))
    }
    try Outcome.end(ConfiguredRun.status(of: outcomes))
  }

  private func backUp(
    _ source: SourceSettings, _ run: ConfiguredRun, _ watch: RunWatch, isOne: Bool
  ) throws -> (Backup.Report, SnapshotCopies?) {
    let opened = try ConfiguredSource(
      source, of: run, location.request(run.machine, identity: identity, writer: writer))
    opened.introduce(to: watch)
    let options = opened.backupOptions(kind: kind, isDryRun: dryRun, waitsForLock: wait)
    let named = isOne ? nil : source.name
    let progress = watch.makeProgress(of: named)
    defer { progress.end() }
    let taken = try opened.backup(options, watch, progress)
    let report = taken.report
    progress.end()
    // The result is told before the copying, which may be interrupted.
    watch.tell(report, of: named)
    let copying = watch.makeProgress(of: named)
    defer { copying.end() }
    let copies = try opened.bringUp(taken, copying)
    copying.end()
    if let copies { watch.tell(copies, of: named) }
    return (report, copies)
  }
}
