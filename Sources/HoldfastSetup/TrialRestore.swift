internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastDrill
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem
internal import Synchronization

/// Restores the newest snapshot on trial, as `holdfast drill` does.
struct TrialRestore {
  let site: SetupSite
  let request: SetupRequest
  let keys: KeyRequest

  /// - Returns: the result, also of a drill that failed, which the observer was told.
  /// - Throws: the reason why no drill could be made.
  func perform(
    on source: SourceSettings, in settings: Settings, _ observer: any SourceRunObserver
  ) throws -> Drill.Report {
    let machine = site.machine
    let clock = machine.host.clock
    let watch = RunWatch(.drill, machine, notices: observer, notifying: NotificationHistory())
    return try watch.run {
      let context = try RepositoryContext(of: source, in: settings, RepositoryRequest(keys: keys), on: machine)
      let warnings = Mutex<[String]>([])
      let begun = clock.uptime()
      let repository = try context.openToRead(from: .all, for: source.name) { text in
        warnings.withLock { $0.append(text) }
      }
      let openingTime = clock.uptime() - begun
      watch.opened(repository, source: source.name)
      let progress = watch.makeProgress()
      defer { progress.end() }
      warnings.withLock { $0 }.forEach(progress.warn)
      let snapshot = try SnapshotSelector(.latest, source: source.name).choose(in: repository.catalog) {
        progress.warn($0.message)
      }
      var drill = source.drill
      drill.directory = request.drillDirectory ?? drill.directory
      let report = try DrillTask(drill, at: context).perform(
        on: snapshot, in: repository, openingTime: openingTime, watch, progress)
      for text in context.noteDamage(metIn: repository) { watch.tellAndRecord(Notice(.warning, text), as: text) }
      progress.end()
      watch.status = report.exitStatus
      watch.tell(report)
      return report
    }
  }
}
