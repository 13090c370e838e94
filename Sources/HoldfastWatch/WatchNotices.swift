internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

/// Passes on what the runs of a watch report. A watch tries again and again: what it has told is not told again until
/// the same kind of run has gone well. An increment that succeeds proves nothing of a merge, a prune or a verify.
final class WatchNotices: SourceRunObserver {
  /// The number of messages that are remembered. Some contain numbers that are new each time.
  private static let toldMax = 1000

  private let shown: any SourceRunObserver
  private let source: SourceName
  private let clock: Clock
  private let board: WatchBoard
  private var told: Set<String> = []
  /// The messages of runs that gather.
  private var toldWhileGathering: Set<String> = []
  private var gathers = false
  /// True if something was told since the run began: a run at another target goes well, and yet says each time that
  /// home is away.
  private var hasHeard = false
  private var failingSince: TimeSpan?
  /// True while the watch holds the lease. Where runs go well without it, at another target, what was told of that
  /// stays told.
  var isLeaseHeld = false

  init(_ shown: any SourceRunObserver, _ board: WatchBoard, clock: Clock) {
    (self.shown, source, self.board, self.clock) = (shown, board.source, board, clock)
  }

  // MARK: What runs report

  func tell(_ notice: Notice) {
    hasHeard = true
    if isNew(notice.text) { shown.tell(notice) }
  }

  func makeProgress() -> any RunProgress { SignOfLife(shown.makeProgress(), board) }

  func planned(_ report: SourceRun.Report, isDryRun: Bool) {
    if isNews(report.failure) { shown.planned(report, isDryRun: isDryRun) }
  }

  func ended(_ step: SourceRun.Done, of source: SourceName) {
    if isNews(step.outcome) { shown.ended(step, of: source) }
  }

  private func isNews(_ outcome: SourceOutcome?) -> Bool {
    guard let outcome, let error = outcome.error, !(error is Interrupted) else { return true }
    return isNew(error.message)
  }

  private func isNew(_ text: String) -> Bool {
    guard !told.contains(text), !toldWhileGathering.contains(text) else { return false }
    if told.count >= Self.toldMax { told = [] }
    if toldWhileGathering.count >= Self.toldMax { toldWhileGathering = [] }
    if gathers { toldWhileGathering.insert(text) } else { told.insert(text) }
    return true
  }

  // MARK: What the watch reports

  /// Something besides a run failed.
  /// - Parameter stopsRuns: true if there are no snapshots as long as it fails.
  func failed(_ error: any OperatorError, stopsRuns: Bool = true) {
    if stopsRuns { failingSince = failingSince ?? clock.uptime() }
    guard isNew(error.message) else { return }
    shown.tell(Notice(.warning, error.message + "; it is tried again", of: source))
    if let hint = error.hint { shown.tell(Notice(.hint, hint)) }
  }

  /// A run begins.
  func begin(gathers: Bool) { (self.gathers, hasHeard) = (gathers, false) }

  /// The run has ended.
  /// - Parameters:
  ///   - isTaken: true if there is a snapshot.
  ///   - isClean: true if every step of the run went well.
  func end(isTaken: Bool, isClean: Bool) {
    defer { gathers = false }
    if isClean, isLeaseHeld, !hasHeard {
      told = []
      if gathers { toldWhileGathering = [] }
    }
    guard isTaken else { return failingSince = failingSince ?? clock.uptime() }
    if let failingSince {
      let span = Amount.age(clock.uptime() - failingSince)
      shown.tell(Notice(.warning, "snapshots are taken again, after \(span)", of: source))
    }
    failingSince = nil
  }
}

/// Shows progress, and notes it as a sign that the watch goes on.
private final class SignOfLife: RunProgress {
  private let shown: any RunProgress
  private let board: WatchBoard

  init(_ shown: any RunProgress, _ board: WatchBoard) { (self.shown, self.board) = (shown, board) }

  func begin(phase: String, totalBytes: UInt64?) {
    board.sign()
    shown.begin(phase: phase, totalBytes: totalBytes)
  }

  func advance(bytes: UInt64, files: UInt64) {
    board.sign()
    shown.advance(bytes: bytes, files: files)
  }

  func skip(bytes: UInt64) {
    board.sign()
    shown.skip(bytes: bytes)
  }

  func note(_ message: String) { shown.note(message) }
  func warn(_ message: String) { shown.warn(message) }
  func end() { shown.end() }
}
