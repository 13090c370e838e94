package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem
internal import Synchronization

/// The state of a watch as it is shown: to the lease of its source, which carries it to other hosts, and to the manager
/// of services. Any thread may ask it.
package final class WatchBoard: HeartbeatObserver {
  /// The work of the watch at the moment.
  package enum Activity: Hashable, Sendable {
    /// It waits for a store, or for another run that holds the lease.
    case waitingForLease
    /// It waits for changes.
    case watching
    case running
    /// The source is not there.
    case withoutSource
    case ended
  }

  private struct State {
    var activity = Activity.waitingForLease
    var sequence: UInt64?
    var changed: Timestamp?
    var behindSince: TimeSpan?
    var lastSign: TimeSpan
    var isLost = false
    var interval: TimeSpan
    /// The reason for which the heartbeat is late; `nil` if it is not, or was told.
    var late: (any OperatorError)?
    var isLate = false
  }

  /// The longest time without progress of a run that is at work: single steps of it, such as a commit in a far store or
  /// a hook, may take long.
  private static let runSilenceMax = TimeSpan.hours(1)

  package let source: SourceName
  private let clock: Clock
  private let state: Mutex<State>

  /// - Parameter interval: the interval of the heartbeat.
  package init(_ source: SourceName, clock: Clock, interval: TimeSpan) {
    (self.source, self.clock) = (source, clock)
    state = Mutex(State(lastSign: clock.uptime(), interval: interval))
  }

  // MARK: What the watch says

  func set(_ activity: Activity) {
    let now = clock.uptime()
    state.withLock { ($0.activity, $0.lastSign) = (activity, now) }
  }

  /// The watch goes on with what it does.
  func sign() {
    let now = clock.uptime()
    state.withLock { $0.lastSign = now }
  }

  /// The heartbeat has this interval from now on.
  func set(interval: TimeSpan) { state.withLock { $0.interval = interval } }

  func set(sequence: UInt64) { state.withLock { $0.sequence = sequence } }

  /// - Parameter behindSince: the uptime of the oldest change that is in no snapshot; `nil` if there is none.
  func set(behindSince: TimeSpan?, changed: Timestamp? = nil) {
    state.withLock { state in
      state.behindSince = behindSince
      state.changed = changed ?? state.changed
    }
  }

  // MARK: What others see

  package var activity: Activity { state.withLock { $0.activity } }

  /// The content of the next heartbeat.
  package var beat: LeaseBeat {
    let (now, uptime) = (clock.now(), clock.uptime())
    return state.withLock { state in
      LeaseBeat(
        interval: state.interval, time: RecordedTime(now), sequence: state.sequence,
        changed: state.changed.map { RecordedTime($0) },
        lag: state.behindSince.map { max(.zero, uptime - $0) } ?? .zero)
    }
  }

  /// Returns true if the watch goes on: it gave a sign of life lately, or waits for another holder of the lease, which
  /// may take any time.
  package func isAlive(within span: TimeSpan) -> Bool {
    let now = clock.uptime()
    return state.withLock { state in
      switch state.activity {
      case .waitingForLease, .ended: true
      case .running: now - state.lastSign < max(span, Self.runSilenceMax)
      case .watching, .withoutSource: now - state.lastSign < span
      }
    }
  }

  /// The state in one line, for the manager of services.
  package var line: String {
    state.withLock { state in
      let newest = state.sequence.map { "newest is number \($0)" } ?? "no snapshot yet"
      let words =
        switch state.activity {
        case .waitingForLease: "waiting for the lease"
        case .watching: "watching; \(newest)"
        case .running: "taking a snapshot; \(newest)"
        case .withoutSource: "the source is not there; \(newest)"
        case .ended: "ended; \(newest)"
        }
      return "\(source): \(words)"
    }
  }

  // MARK: The lease

  /// True once after another host has taken the lease.
  func takeLoss() -> Bool {
    state.withLock { state in
      defer { state.isLost = false }
      return state.isLost
    }
  }

  /// Returns the reason for which the heartbeat is late, once.
  func takeLateness() -> (any OperatorError)? {
    state.withLock { state in
      defer { state.late = nil }
      return state.late
    }
  }

  package func beat(_ beat: Heartbeat) { state.withLock { ($0.isLate, $0.late) = (false, nil) } }
  package func late(_ error: any OperatorError) {
    state.withLock { state in
      if !state.isLate { state.late = error }
      state.isLate = true
    }
  }
  package func lost(_ error: any OperatorError) { state.withLock { $0.isLost = true } }
}
