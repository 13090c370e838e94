internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem

/// Takes the first snapshot of the source, unless there is one.
struct FirstSnapshot {
  let site: SetupSite
  let name: SourceName

  /// Refuses to continue the snapshots of another machine or of another directory, and to vouch for them.
  /// - Parameter isConfigured: true if this machine has the source in its configuration.
  func check(isConfigured: Bool) throws {
    guard let repository = site.repository else { return }
    let name = try repository.names.sourceToBackUp(name)
    guard let newest = try newest(in: repository) else { return }
    let remembered = repository.memory?.head(of: name)?.path
    let recorded = newest.envelope.isSealed ? remembered : newest.envelope.source.path
    let path = site.contents.path
    let isSamePath = recorded.map { SourceOrigin(recorded: $0).text == path.description } ?? isConfigured
    // Another machine may have a directory of the same path.
    if isSamePath, try remembered != nil || site.machine.cache().holds(name, of: repository) { return }
    throw EngineError(
      .usage,
      "there are snapshots of a source \(name) in \(repository.location), and this machine has not taken them of \(path)",
      hint: "Say another name with --name.", exitStatus: .usage)
  }

  /// Returns the newest snapshot of the source; `nil` if there is none.
  func newest(in repository: Repository) throws -> Snapshot? {
    let name = try repository.names.source(name)
    guard try repository.catalog.isKnown(name), try !repository.catalog.sequences(of: name).isEmpty else { return nil }
    return try SnapshotSelector(.latest, source: name).choose(in: repository.catalog) { _ in }
  }

  /// Takes a snapshot, and copies it to all targets.
  /// - Returns: the status, and the result in words.
  func take(
    _ source: SourceSettings, in settings: Settings, _ keys: KeyRequest, _ observer: any SourceRunObserver
  ) throws -> (status: ExitStatus, summary: String) {
    let run = ConfiguredRun(settings: settings, machine: site.machine, observer: observer)
    let outcome = run.run(.backup, source, isDryRun: false) { watch in
      let opened = try ConfiguredSource(source, of: run, RepositoryRequest(keys: keys))
      opened.introduce(to: watch)
      let progress = watch.makeProgress()
      defer { progress.end() }
      let taken = try opened.backup(opened.backupOptions(kind: nil), watch, progress)
      progress.end()
      watch.tell(taken.report)
      let copies = try opened.bringUp(taken, progress)
      progress.end()
      if let copies { watch.tell(copies) }
      return SourceOutcome(
        source: source.name, status: max(taken.report.exitStatus, copies?.exitStatus ?? .done),
        summary: taken.report.summary + (copies.map { "; \($0.summary)" } ?? ""))
    }
    if let error = outcome.error { throw error }
    return (outcome.status, outcome.summary)
  }
}
