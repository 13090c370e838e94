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
  private var isLackTold = false

  init(_ source: SourceName, at context: RepositoryContext, _ directory: Path, observer: any NoticeObserver) {
    (self.source, self.context, self.directory, self.observer) = (source, context, directory, observer)
  }

  /// Looks at what a pass has heard. It is asked again in each pass until it was raised: the service may die later than
  /// its heartbeat.
  /// - Parameter names: the names of the repository: the configuration may call the source by any of them.
  /// - Returns: true if a probe is configured, so that the alarm tells what to do.
  mutating func look(_ pulse: SourcePulse.State, _ names: SourceNameStore) -> Bool {
    guard let configured = configured(names), configured.failover.commands[.probe] != nil else { return false }
    let settings = configured.failover
    guard case .silent = pulse else {
      (isRaised, isAnswerTold) = (false, false)
      return true
    }
    guard !isRaised else { return true }
    do {
      let end = try SiteCommands(source: source, settings: settings, host: context.machine.host).run(.probe, [:])
      if end.isSuccess { tellAnswer() } else { raise(pulse, end, configured.name) }
    } catch {
      if !(error is Interrupted) { observer.tell(Notice(.warning, describe(error).message, of: source)) }
    }
    return true
  }

  /// Returns the configuration of the source. If there is none, nobody can be told of a silence, and that is told once.
  private mutating func configured(_ names: SourceNameStore) -> SourceSettings? {
    do {
      if let found = try context.configuration(of: source, in: names) { return found }
      guard try context.machine.loader().load()?.sources.isEmpty == false else { return nil }
      tellLack("the configuration of this host has no source \(source), so no alarm is raised when it is silent")
    } catch {
      tellLack("no alarm is raised when \(source) is silent: \(describe(error).message)")
    }
    return nil
  }

  private mutating func tellLack(_ text: String) {
    guard !isLackTold else { return }
    isLackTold = true
    observer.tell(Notice(.warning, text, of: source))
  }

  private mutating func tellAnswer() {
    guard !isAnswerTold else { return }
    isAnswerTold = true
    observer.tell(
      Notice(.warning, "its service answers the probe: only its way to the repository may be broken", of: source))
  }

  /// - Parameter configured: the name in the configuration, by which receivers of notifications know the source.
  private mutating func raise(_ pulse: SourcePulse.State, _ probe: CommandEnd, _ configured: SourceName) {
    isRaised = true
    let error = EngineError(
      .transient, "ALARM: \(pulse.text), and its service does not answer the probe (\(probe.text))",
      hint:
        "Stop the standby, then run `holdfast failover \(source) --in \(directory)` here: it shows a plan, and asks.")
    let watch = RunWatch(.standby, context.machine, notices: observer, notifying: NotificationHistory())
    watch.parts = [RunRecord.Part(configured)]
    do { try watch.run { throw error } } catch {}
    observer.tell(Notice(.refusal, error.message, of: source))
    if let hint = error.hint { observer.tell(Notice(.hint, hint)) }
  }
}
