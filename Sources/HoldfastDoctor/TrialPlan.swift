internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations

/// The trials for a configuration, in the order in which their results are shown.
struct TrialPlan {
  let trials: [any Trial]

  /// - Parameter schedules: comes first if another user runs the schedule, because that explains all others.
  init(
    _ settings: Settings, _ machine: MachineContext, _ options: Doctor.Options, _ schedules: ScheduleTrial
  ) {
    let openings = settings.repositories.map { Opening($0) }
    let servers = settings.sources.filter { $0.directory != nil && $0.server(on: machine) != nil }
    var trials: [any Trial] = schedules.otherUser == nil ? [] : [schedules]
    for opening in openings {
      let targets = opening.settings.targets
      trials += targets.map { StoreTrial(target: $0, of: opening.settings, writes: options.writes) }
      trials.append(OpeningTrial(opens: opening))
      trials += targets.dropFirst().map { CopyTrial(target: $0, opening: opening) }
    }
    for opening in openings {
      trials.append(WriterKeyTrial(opening: opening))
      trials += OpeningWay.allCases.map { OpeningWayTrial(way: $0, opening: opening) }
    }
    for source in settings.sources {
      trials.append(SourceTrial(source: source, settings: settings))
      trials.append(HistoryTrial(source: source, opening: Self.opening(of: source, among: openings)))
    }
    trials += settings.sources.filter { $0.failover.host != nil }.compactMap { source in
      Self.opening(of: source, among: openings).map { ServingTrial(source: source, opening: $0) }
    }
    trials += servers.map { LoginTrial(source: $0) }
    for source in servers where source.postgres != nil {
      guard let opening = Self.opening(of: source, among: openings) else { continue }
      trials.append(
        LogTrial(source: source, opening: opening, writes: options.writes, patience: options.logPatience))
    }
    for opening in openings {
      trials += opening.settings.targets.map { RoomTrial(target: $0, opening: opening) }
    }
    for opening in openings {
      trials += opening.settings.targets.filter { $0.location.hasPrefix("s3:") }.map {
        ServerClockTrial(target: $0, of: opening.settings)
      }
      trials.append(SnapshotClockTrial(opening: opening))
    }
    if schedules.otherUser == nil { trials.append(schedules) }
    trials.append(NotificationTrial(sends: options.notifies))
    self.trials = trials
  }

  private static func opening(of source: SourceSettings, among openings: [Opening]) -> Opening? {
    openings.first { $0.name == source.repository || $0.settings.location == source.repository }
  }
}
