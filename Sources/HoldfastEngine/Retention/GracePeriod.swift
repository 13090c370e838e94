internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// The grace period, and the time for which this machine has known of each removal.
struct GracePeriod: Sendable {
  let length: TimeSpan
  /// The lengths that were promised when a source was removed: no shorter one holds for these snapshots.
  var promised: [Identifier: TimeSpan] = [:]
  /// The time since this machine first saw each removal. Removals that it does not know are missing.
  var waited: [WaitingRecord.Item: TimeSpan] = [:]

  func isOver(_ removal: WaitingRecord.Item) -> Bool {
    let length = length(of: removal)
    return length <= .zero || (waited[removal] ?? .zero) >= length
  }

  /// The time until the grace period of a removal is over; `nil` if this machine does not know the removal.
  func timeLeft(_ removal: WaitingRecord.Item) -> TimeSpan? {
    waited[removal].map { max(.zero, length(of: removal) - $0) }
  }

  private func length(of removal: WaitingRecord.Item) -> TimeSpan { max(length, promised[removal.snapshot] ?? .zero) }
}

extension GracePeriod {
  /// Returns the grace period as it would be with these removals, without remembering them.
  /// - Parameter length: the length of the grace period.
  static func foreseen(
    _ length: TimeSpan, _ removals: Set<WaitingRecord.Item>, of source: SourceName, in repository: Repository
  ) -> GracePeriod {
    var record = repository.machine.load(WaitingRecord.self)
    update(&record, removals, of: source, length, repository.host)
    return GracePeriod(length: length, waited: record.all)
  }

  /// Makes this machine remember since when it has known these removals, and forget other removals of the source.
  /// - Throws: an error if it cannot remember them.
  static func remembered(
    _ length: TimeSpan, _ removals: Set<WaitingRecord.Item>, of source: SourceName, in repository: Repository
  ) throws -> GracePeriod {
    var grace = GracePeriod(length: length)
    try repository.machine.change(WaitingRecord.self) { record in
      update(&record, removals, of: source, length, repository.host)
      grace.waited = record.all
    }
    return grace
  }

  private static func update(
    _ record: inout WaitingRecord, _ removals: Set<WaitingRecord.Item>, of source: SourceName, _ length: TimeSpan,
    _ host: Host
  ) {
    record.update(
      removals, of: source.key, grace: length, boot: host.bootID, uptime: host.clock.uptime(), now: host.clock.now())
  }
}

extension SourceNotes.Removal {
  /// Notes for how long it can be undone, whoever prunes.
  /// - Parameter length: `nil`, or zero, if no such promise is made.
  mutating func promise(_ length: TimeSpan?) {
    guard !isCollected, let length, length > .zero else { return }
    graceSeconds = UInt64(length.wholeSeconds)
  }
}
