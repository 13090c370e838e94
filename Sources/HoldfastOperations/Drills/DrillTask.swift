package import HoldfastArchive
package import HoldfastConfiguration
package import HoldfastDrill
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// A drill of a source in a repository, by hand or by `holdfast run`.
package struct DrillTask {
  package let context: RepositoryContext
  package var settings: DrillSettings
  /// True if the snapshot is another one than the newest.
  package var isOlder = false
  package var isDryRun = false
  package var keepsData = false

  /// - Parameter settings: those of the source, which the command line may have changed.
  package init(_ settings: DrillSettings, at context: RepositoryContext) {
    (self.context, self.settings) = (context, settings)
  }

  /// Drills a snapshot.
  /// - Parameters:
  ///   - repository: opened for reading, as for a restore.
  ///   - openingTime: the time that this took.
  /// - Returns: the result, also of a drill that failed, which the observer of the run was told.
  /// - Throws: the reason why no drill could be made.
  package func perform(
    on snapshot: Snapshot, in repository: Repository, openingTime: TimeSpan, _ watch: RunWatch,
    _ progress: any ProgressObserver
  ) throws -> Drill.Report {
    watch.parts = [RunRecord.Part(of: snapshot)]
    let drill = try Drill(
      repository: repository, snapshot: snapshot, options: options(of: snapshot, in: repository, openingTime),
      progress: progress)
    let report = try drill.run()
    watch.parts = [RunRecord.Part(report)]
    return report
  }

  private func options(
    of snapshot: Snapshot, in repository: Repository, _ openingTime: TimeSpan
  ) throws -> Drill.Options {
    var options = Drill.Options(directory: try directory()) { [context] plan in
      try context.restoreCommand(for: plan, in: repository)
    }
    (options.bytesMax, options.database, options.assertions) = (
      settings.bytesMax, settings.database, settings.assertions
    )
    (options.isDryRun, options.keepsData, options.openingTime) = (isDryRun, keepsData, openingTime)
    let configured = try context.machine.loader().load()
    (options.timeout, options.isOlder) = (settings.timeout, isOlder)
    options.restoreWithin = try context.configuredSources(in: repository).first { $0.name == snapshot.sourceName }?
      .objectives.restoreWithin
    options.isRoot = context.machine.environment.isRoot
    options.forbidden = forbidden(for: snapshot, configured)
    return options
  }

  /// The directory that is configured or named; otherwise one where this machine keeps its memory.
  private func directory() throws -> Path {
    if let directory = settings.directory { return directory }
    guard let state = try context.machine.environment.stateDirectory() else {
      throw EngineError(
        .usage, "no place for the drill is named, and there is no home directory",
        hint: "Say --in DIR, or `in: DIR` below drill in the configuration.", exitStatus: .usage)
    }
    return state.appending("drill")
  }

  /// Returns the directories that a drill must not touch: sources, and the targets of the repository.
  private func forbidden(for snapshot: Snapshot, _ configured: Settings?) -> [ForbiddenPlace] {
    var places = (configured?.sources ?? []).compactMap { source -> ForbiddenPlace? in
      guard case .directory(let path) = source.subject else { return nil }
      return ForbiddenPlace(path, "the source \(source.name)")
    }
    if let path = SourceOrigin(recorded: snapshot.envelope.source.path).directory {
      places.append(ForbiddenPlace(path, "the source \(snapshot.sourceName)"))
    }
    let targets = [context] + RepositoryTargets(context).others.compactMap { try? context.on($0) }
    return places
      + targets.compactMap { target in
        target.location.directory.map { ForbiddenPlace($0, "the repository") }
      }
  }
}

extension RunRecord.Part {
  /// Makes the part of a run that drilled a snapshot.
  package init(_ report: Drill.Report) {
    if let restore = report.restore { self.init(restore, isDelta: false) } else { self.init(of: report.snapshot) }
    drill = report.isDryRun ? nil : report.evidence
    status = report.exitStatus
    findings = report.failure.map { [Self.finding($0, report)] } ?? []
  }

  private static func finding(_ failure: Drill.Failure, _ report: Drill.Report) -> String {
    let log = report.log.map { "; the log is \($0)" } ?? ""
    return "the drill failed at \(failure.phase.rawValue): \(failure.error.message)\(log)"
  }
}

extension RunWatch {
  /// Tells of a drill that failed.
  /// - Parameter source: the source, if there are several.
  package func tell(_ report: Drill.Report, of source: SourceName? = nil) {
    if let problems = report.restore?.problems { name(problems, of: source) }
    guard let failure = report.failure else { return }
    // It is in the record of the run already.
    tell(Notice(.refusal, RunRecord.Part(report).findings.joined(separator: "; "), of: source))
    if let hint = failure.error.hint { tell(Notice(.hint, hint)) }
  }
}
