internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem

/// Raises the alarm when the heartbeat of a source is silent and the probe of the site fails: everybody who is told of
/// runs hears the command that a person may type. Nothing is failed over.
struct SilenceAlarm {
  private let source: SourceName
  private let context: RepositoryContext
  /// The directory of the standby.
  private let directory: Path
  private let observer: any NoticeObserver
  private var isRaised = false
  private var isAnswerTold = false

  init(_ source: SourceName, at context: RepositoryContext, _ directory: Path, observer: any NoticeObserver) {
    (self.source, self.context, self.directory, self.observer) = (source, context, directory, observer)
  }

  /// Looks at what a pass has heard. It is asked again in each pass until it was raised: the service may die later than
  /// its heartbeat.
  /// - Returns: true if a probe is configured, so that the alarm tells what to do.
  mutating func look(_ pulse: SourcePulse.State) -> Bool {
    guard let settings = try? settings(), settings.commands[.probe] != nil else { return false }
    guard case .silent = pulse else {
      (isRaised, isAnswerTold) = (false, false)
      return true
    }
    guard !isRaised else { return true }
    do {
      let end = try SiteCommands(source: source, settings: settings, host: context.machine.host).run(.probe, [:])
      if end.isSuccess { tellAnswer() } else { raise(pulse, end) }
    } catch {
      if !(error is Interrupted) { observer.tell(Notice(.warning, describe(error).message, of: source)) }
    }
    return true
  }

  private func settings() throws -> FailoverSettings? {
    try (context.configuredSource ?? context.machine.loader().load()?.source(source.text))?.failover
  }

  private mutating func tellAnswer() {
    guard !isAnswerTold else { return }
    isAnswerTold = true
    observer.tell(
      Notice(.warning, "its service answers the probe: only its way to the repository may be broken", of: source))
  }

  private mutating func raise(_ pulse: SourcePulse.State, _ probe: CommandEnd) {
    isRaised = true
    let error = EngineError(
      .transient, "ALARM: \(pulse.text), and its service does not answer the probe (\(probe.text))",
      hint:
        "Stop the standby, then run `holdfast failover \(source) --in \(directory)` here: it shows a plan, and asks.")
    let watch = RunWatch(.standby, context.machine, notices: observer, notifying: NotificationHistory())
    watch.parts = [RunRecord.Part(source)]
    do { try watch.run { throw error } } catch {}
    observer.tell(Notice(.refusal, error.message, of: source))
    if let hint = error.hint { observer.tell(Notice(.hint, hint)) }
  }
}
