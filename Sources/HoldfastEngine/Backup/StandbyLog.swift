internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastSystem

/// Waits until the log of a capture that was taken on a standby is archived, which is the work of its primary.
///
/// The snapshot itself needs no archive. But without these segments, no recovery leads on from it.
struct StandbyLog {
  private static let pauseMin = TimeSpan.milliseconds(250)
  private static let pauseMax = TimeSpan.seconds(4)
  let repository: Repository
  let source: SourceName
  let limit: TimeSpan
  let progress: any ProgressObserver

  /// - Returns: a sentence about what is missing after the wait, or about what ended the wait: the snapshot is
  ///   committed, so that is no error of the backup. `nil` if everything is archived, or nothing ever was.
  func problem(of backup: PostgresBackup) -> String? {
    let consequence =
      "the snapshot is whole, but a recovery leads on from it only when the primary has archived its log; see `holdfast wal status`"
    do {
      return try missing(of: backup)
    } catch is Interrupted {
      return "a signal ended the wait for the log that the primary archives: \(consequence)"
    } catch {
      return "it cannot be told if the primary has archived the log (\(describe(error).message)): \(consequence)"
    }
  }

  private func missing(of backup: PostgresBackup) throws -> String? {
    let host = repository.host
    let system = SystemIdentifier(backup.cluster.control.system)
    let archive = WALArchive(repository, of: source)
    guard backup.isOfStandby, try archive.systems().contains(system) else { return nil }
    var missing = backup.segments[...]
    let end = host.clock.uptime() + limit
    var pause = Self.pauseMin
    let never = Monitor(())
    while true {
      while let first = missing.first, try archive.find(first, of: system) != nil { missing.removeFirst() }
      guard let first = missing.first, let last = missing.last else { return nil }
      let left = end - host.clock.uptime()
      guard left > .zero else {
        let names = first == last ? "\(first)" : "\(first) to \(last)"
        return
          "the primary has not archived \(names) within \(Amount.duration(limit)): the snapshot is whole, but no recovery leads on from it until then; let the primary archive (SELECT pg_switch_wal() there, archive_timeout = '60s'), and see `holdfast wal status`"
      }
      if pause == Self.pauseMin { progress.note("waiting until the primary has archived \(last)") }
      let _: Void? = try never.wait(min(pause, left), unless: host.cancellation) { _ in nil }
      pause = min(pause + pause, Self.pauseMax)
    }
  }
}
