package import HoldfastModel
package import HoldfastStore
internal import HoldfastSystem

/// The heartbeat of the host that watches a source, as this host hears it. Silence is measured by the clock of this
/// host, from when it first saw the newest number of the lease: no two clocks are compared.
package struct SourcePulse: Sendable {
  /// The state of the watch of the source.
  package enum State: Hashable, Sendable {
    /// Nobody holds the lease for longer than a run: there is no watch, or it has ended.
    case unwatched
    /// There is a number of a watch, and this host has not listened long enough to know more.
    case unheard
    case alive
    /// The host lives, but the oldest change there has waited for a snapshot for longer than the term of its lease.
    case stale(lag: TimeSpan)
    /// No new number for longer than the term of the lease, so that another host may take it.
    case silent(since: TimeSpan)

    /// The state as one word, for JSON.
    package var word: String {
      switch self {
      case .unwatched: "unwatched"
      case .unheard: "unheard"
      case .alive: "alive"
      case .stale: "stale"
      case .silent: "silent"
      }
    }

    /// The state in words.
    package var text: String {
      switch self {
      case .unwatched: "the source is not watched"
      case .unheard: "its heartbeat was not heard yet"
      case .alive: "the source is alive"
      case .stale(let lag): "the source is alive and stale: a change there has waited for \(Amount.age(lag))"
      case .silent(let span): "the source is SILENT: no heartbeat for \(Amount.age(span))"
      }
    }
  }

  private var seen: (number: UInt64, since: TimeSpan)?
  private var hasHeard = false
  private var isInterrupted = false

  package init() {}

  /// The store did not answer. Perhaps it answers nobody, and so the silence until the next look says nothing.
  package mutating func interrupt() { isInterrupted = true }

  /// Looks at the lease of a source.
  /// - Parameter now: the uptime of this host.
  package mutating func look(at numbers: LeaseNumbers, now: TimeSpan) throws -> State {
    guard let (number, record) = try numbers.newest(), let beat = record.beat, !record.isGivenBack else {
      (seen, hasHeard) = (nil, false)
      return .unwatched
    }
    defer { isInterrupted = false }
    if let seen, seen.number == number, !isInterrupted {
      let silence = now - seen.since
      if silence > record.term { return .silent(since: silence) }
    } else {
      hasHeard = seen.map { $0.number != number || hasHeard } ?? false
      seen = (number, now)
    }
    guard hasHeard else { return .unheard }
    return beat.lag > record.term ? .stale(lag: beat.lag) : .alive
  }
}
