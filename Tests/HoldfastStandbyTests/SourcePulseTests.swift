import HoldfastModel
import HoldfastStandby
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The heartbeat of the source as the standby hears it: by its own clock alone.
@Suite struct SourcePulseTests {
  private let numbers = LeaseNumbers(store: MemoryStore(), name: "orders")
  private let term = TimeSpan.seconds(60)

  /// - Parameter lag: `nil` for a run that ends by itself, which writes no beat.
  private func beat(_ number: UInt64, lag: TimeSpan? = .zero, term: TimeSpan? = nil) throws {
    var record = LeaseRecord(
      holder: Randomness.system.identifier(), term: term ?? self.term, locked: false, host: "shop", process: 7,
      // The clock of that host is wrong by years, and nothing depends on it.
      time: RecordedTime(text: "1999-05-01T12:00:00.000Z"))
    record.beat = lag.map {
      LeaseBeat(interval: .seconds(10), time: RecordedTime(text: "1999-05-01T12:00:00.000Z"), lag: $0)
    }
    try numbers.create(number, record.serialized())
  }

  @Test func aNumberIsAliveOnceItIsFollowedByAnotherAndSilentAfterItsTerm() throws {
    var pulse = SourcePulse()
    #expect(try pulse.look(at: numbers, now: .zero) == .unwatched)
    try beat(1)
    #expect(try pulse.look(at: numbers, now: .seconds(10)) == .unheard, "it may be from last year")
    #expect(try pulse.look(at: numbers, now: .seconds(70)) == .unheard)
    #expect(try pulse.look(at: numbers, now: .seconds(71)) == .silent(since: .seconds(61)))
    try beat(2)
    #expect(try pulse.look(at: numbers, now: .seconds(75)) == .alive)
    #expect(try pulse.look(at: numbers, now: .seconds(135)) == .alive)
    #expect(try pulse.look(at: numbers, now: .seconds(136)) == .silent(since: .seconds(61)))
  }

  /// A store that is away may be away for the source as well, which cannot renew its lease then.
  @Test func silenceCountsOnlyWhileTheStoreAnswers() throws {
    var pulse = SourcePulse()
    try beat(1)
    _ = try pulse.look(at: numbers, now: .zero)
    try beat(2)
    #expect(try pulse.look(at: numbers, now: .seconds(10)) == .alive)
    pulse.interrupt()
    #expect(try pulse.look(at: numbers, now: .seconds(600)) == .alive)
    #expect(try pulse.look(at: numbers, now: .seconds(661)) == .silent(since: .seconds(61)))
  }

  /// A host that lives and takes no snapshots is not silent, and is told apart.
  @Test func aHostMayBeAliveAndStale() throws {
    var pulse = SourcePulse()
    try beat(1)
    _ = try pulse.look(at: numbers, now: .zero)
    try beat(2, lag: .seconds(300))
    let state = try pulse.look(at: numbers, now: .seconds(10))
    #expect(state == .stale(lag: .seconds(300)))
    #expect(state.text == "the source is alive and stale: a change there has waited for 5 min")
  }

  @Test func aRunOrALeaseThatWasGivenBackIsNoHeartbeat() throws {
    var pulse = SourcePulse()
    try beat(1)
    _ = try pulse.look(at: numbers, now: .zero)
    try beat(2, lag: nil)
    #expect(try pulse.look(at: numbers, now: .seconds(10)) == .unwatched)
    try beat(3, term: .zero)
    #expect(try pulse.look(at: numbers, now: .seconds(10)) == .unwatched)
  }
}
