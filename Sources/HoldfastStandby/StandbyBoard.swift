internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem
internal import Synchronization

/// The state of a standby as the manager of services sees it. Any thread may ask it.
final class StandbyBoard: Sendable {
  private struct State {
    var line: String
    var lastSign: TimeSpan
    var isWorking = false
  }

  /// The longest time without progress of a pass that is at work: single steps of it, such as a request to a far store,
  /// may take long.
  private static let workSilenceMax = TimeSpan.hours(1)
  private let clock: Clock
  private let state: Mutex<State>

  init(_ line: String, clock: Clock) {
    self.clock = clock
    state = Mutex(State(line: line, lastSign: clock.uptime()))
  }

  var line: String { state.withLock { $0.line } }

  func set(_ line: String) { state.withLock { $0.line = line } }

  func set(isWorking: Bool) {
    let now = clock.uptime()
    state.withLock { ($0.isWorking, $0.lastSign) = (isWorking, now) }
  }

  /// The standby goes on with what it does.
  func sign() {
    let now = clock.uptime()
    state.withLock { $0.lastSign = now }
  }

  /// True if it gave a sign of life lately.
  func isAlive(within span: TimeSpan) -> Bool {
    let now = clock.uptime()
    return state.withLock { now - $0.lastSign < ($0.isWorking ? max(span, Self.workSilenceMax) : span) }
  }
}

/// Shows the progress of passes, and tells each of their warnings once: the next pass meets the same.
final class StandbyProgress: ProgressObserver {
  /// The number of messages that are remembered. Some contain numbers that are new each time.
  private static let toldMax = 1000
  private let shown: any NoticeObserver
  private let board: StandbyBoard
  private var display: (any RunProgress)?
  private var told: Set<String> = []

  init(_ shown: any NoticeObserver, _ board: StandbyBoard) { (self.shown, self.board) = (shown, board) }

  /// Removes the display.
  func end() {
    display?.end()
    display = nil
  }

  func begin(phase: String, totalBytes: UInt64?) {
    board.sign()
    let display = display ?? shown.makeProgress()
    self.display = display
    display.begin(phase: phase, totalBytes: totalBytes)
  }

  func advance(bytes: UInt64, files: UInt64) {
    board.sign()
    display?.advance(bytes: bytes, files: files)
  }

  func skip(bytes: UInt64) {
    board.sign()
    display?.skip(bytes: bytes)
  }

  func note(_ message: String) {}

  func warn(_ message: String) {
    guard !told.contains(message) else { return }
    if told.count >= Self.toldMax { told = [] }
    told.insert(message)
    end()
    shown.tell(Notice(.warning, message))
  }
}
