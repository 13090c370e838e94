internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The grace period, and for how long this machine has known of each removal.
struct GracePeriod: Sendable {
  let seconds: Double
  /// Seconds since this machine first saw each removal. Removals that it does not know of are not in it.
  var waited: [WaitingRecord.Item: Double] = [:]

  func isOver(_ removal: WaitingRecord.Item) -> Bool { seconds <= 0 || (waited[removal] ?? 0) >= seconds }

  /// Seconds until the grace period of a removal is over; `nil` when this machine cannot tell.
  func secondsLeft(_ removal: WaitingRecord.Item) -> Double? { waited[removal].map { max(0, seconds - $0) } }
}

extension Repository {
  /// The grace period as it would be with these removals, without remembering them.
  /// - Parameter seconds: the length of the grace period.
  func foreseenGrace(_ seconds: Double, _ removals: Set<WaitingRecord.Item>, of source: SourceName) -> GracePeriod {
    var record = machine.load(WaitingRecord.self, of: self)
    update(&record, removals, of: source, seconds)
    return GracePeriod(seconds: seconds, waited: record.all)
  }

  /// Makes this machine remember since when it has known of these removals, and forget other removals of the source.
  /// - Throws: an error when it cannot remember.
  func rememberedGrace(
    _ seconds: Double, _ removals: Set<WaitingRecord.Item>, of source: SourceName
  ) throws -> GracePeriod {
    var grace = GracePeriod(seconds: seconds)
    try machine.change(WaitingRecord.self, of: self) { record in
      update(&record, removals, of: source, seconds)
      grace.waited = record.all
    }
    return grace
  }

  private func update(
    _ record: inout WaitingRecord, _ removals: Set<WaitingRecord.Item>, of source: SourceName, _ seconds: Double
  ) {
    record.update(
      removals, of: source.text, grace: seconds, boot: host.bootID, uptime: host.clock.uptime(), now: host.clock.now())
  }
}
