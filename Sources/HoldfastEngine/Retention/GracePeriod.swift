internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The grace period, and for how long this machine has known of each removal.
struct GracePeriod: Sendable {
  let length: TimeSpan
  /// The time since this machine first saw each removal. Removals that it does not know of are not in it.
  var waited: [WaitingRecord.Item: TimeSpan] = [:]

  func isOver(_ removal: WaitingRecord.Item) -> Bool { length <= .zero || (waited[removal] ?? .zero) >= length }

  /// The time until the grace period of a removal is over; `nil` when this machine cannot tell.
  func timeLeft(_ removal: WaitingRecord.Item) -> TimeSpan? { waited[removal].map { max(.zero, length - $0) } }
}

extension Repository {
  /// The grace period as it would be with these removals, without remembering them.
  /// - Parameter length: the length of the grace period.
  func foreseenGrace(_ length: TimeSpan, _ removals: Set<WaitingRecord.Item>, of source: SourceName) -> GracePeriod {
    var record = machine.load(WaitingRecord.self, of: self)
    update(&record, removals, of: source, length)
    return GracePeriod(length: length, waited: record.all)
  }

  /// Makes this machine remember since when it has known of these removals, and forget other removals of the source.
  /// - Throws: an error when it cannot remember.
  func rememberedGrace(
    _ length: TimeSpan, _ removals: Set<WaitingRecord.Item>, of source: SourceName
  ) throws -> GracePeriod {
    var grace = GracePeriod(length: length)
    try machine.change(WaitingRecord.self, of: self) { record in
      update(&record, removals, of: source, length)
      grace.waited = record.all
    }
    return grace
  }

  private func update(
    _ record: inout WaitingRecord, _ removals: Set<WaitingRecord.Item>, of source: SourceName, _ length: TimeSpan
  ) {
    record.update(
      removals, of: source.text, grace: length, boot: host.bootID, uptime: host.clock.uptime(), now: host.clock.now())
  }
}
