internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastDrill
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem
internal import Synchronization

extension ConfiguredSource {
  /// Drills the newest snapshot, or an older one when it is the turn of one. It is read like by a restore: from any
  /// target that has it.
  /// - Returns: the status, and a summary in words.
  func drill(_ watch: RunWatch, _ progress: any ProgressObserver) throws -> (status: ExitStatus, summary: String) {
    let began = host.clock.now()
    var isTold = false
    let remember = { (passed: Bool) in
      do {
        try repository.machine.remember(LastDrill(at: began, passed: passed), of: settings.name)
      } catch  where !isTold {
        isTold = true
        progress.warn(
          "this machine cannot remember its drills: \(describe(error).message); set HOLDFAST_STATE_DIR")
      } catch {
        // It was told before.
      }
    }
    // A drill that is killed, or that a signal ends, does not begin anew with each run.
    remember(false)
    let opened = host.clock.uptime()
    let warnings = Mutex<[String]>([])
    defer { warnings.withLock { $0 }.forEach(progress.warn) }
    let read = try context.openToRead(from: .all, for: settings.name) { text in
      warnings.withLock { $0.append(text) }
    }
    let (newest, all) = try SnapshotSelector(.latest, source: settings.name).chooseAmongAll(in: read.catalog) {
      progress.warn($0.message)
    }
    let older = try settings.drill.olderEvery.flatMap { turns in
      SnapshotDraw.older(
        among: all, than: newest, every: turns, after: try read.journal.entriesIfReadable(of: settings.name))
    }
    var task = DrillTask(settings.drill, at: context)
    task.isOlder = older != nil
    let report = try task.perform(
      on: older ?? newest, in: read, openingTime: host.clock.uptime() - opened, watch, progress)
    for text in context.noteDamage(metIn: read) { watch.tellAndRecord(Notice(.warning, text), as: text) }
    if report.failure == nil { remember(true) }
    watch.tell(report, of: settings.name)
    return (report.exitStatus, report.failure == nil ? "drill: \(report.verdict)" : "the drill failed")
  }
}
