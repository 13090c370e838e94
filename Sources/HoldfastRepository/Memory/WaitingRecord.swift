internal import HoldfastArchive
package import HoldfastModel
package import HoldfastSystem

/// The durations for which this machine has known of removed snapshots. One machine measures a grace period from the
/// moment at which it first saw the removal, whatever time the removal contains.
///
/// While the machine runs, its uptime counts, which nobody can set. The time across a restart is known only from its
/// clock, which may have been wrong before or may be wrong now. So at most half the grace period is counted of it, and
/// a wrong clock alone never ends one.
package struct WaitingRecord: Hashable, MachineRecord {
  package static let kind = "removed"

  /// One removal. A snapshot that is called back and removed again waits from the beginning.
  package struct Item: Hashable, Codable {
    var source: String
    package var snapshot: Identifier
    var revision: UInt64
    /// The target at which it is removed; `nil` for home and all targets that have no removals of their own.
    package var target: String?

    package init(source: String, snapshot: Identifier, revision: UInt64, target: String? = nil) {
      (self.source, self.snapshot, self.revision, self.target) = (source, snapshot, revision, target)
    }
  }

  private struct Waiting: Hashable, Codable {
    var item: Item
    var waited = TimeSpan.zero

    private enum CodingKeys: String, CodingKey {
      case item
      case waited = "seconds"
    }
  }

  package var repository: Identifier?
  /// The time of the last update: the boot ID, the uptime, and the clock.
  private var boot: String?
  private var uptime = TimeSpan.zero
  private var clock: Timestamp?
  private var waiting: [Waiting] = []

  package init() {}

  private enum CodingKeys: String, CodingKey {
    case repository, boot, uptime, clock, waiting
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    repository = try container.decodeIfPresent(Identifier.self, forKey: .repository)
    boot = try container.decodeIfPresent(String.self, forKey: .boot)
    uptime = try container.decode(TimeSpan.self, forKey: .uptime)
    clock = try container.decodeIfPresent(Int64.self, forKey: .clock).map { Timestamp(seconds: $0, nanoseconds: 0) }
    waiting = try container.decode([Waiting].self, forKey: .waiting)
  }

  /// The clock is stored in whole seconds since 1970-01-01 UTC.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encodeIfPresent(repository, forKey: .repository)
    try container.encodeIfPresent(boot, forKey: .boot)
    try container.encode(uptime, forKey: .uptime)
    try container.encodeIfPresent(clock?.seconds, forKey: .clock)
    try container.encode(waiting, forKey: .waiting)
  }

  /// Adds the time since the last update, and begins to count for new removals.
  /// - Parameters:
  ///   - items: all current removals of the source; others of that source are forgotten.
  ///   - boot: identifies this start of the machine.
  package mutating func update(
    _ items: Set<Item>, of source: String, grace: TimeSpan, boot: String?, uptime: TimeSpan, now: Timestamp
  ) {
    let passed = passed(grace: grace, boot: boot, uptime: uptime, now: now)
    for index in waiting.indices { waiting[index].waited += passed }
    waiting.removeAll { $0.item.source == source && !items.contains($0.item) }
    let known = Set(waiting.map(\.item))
    waiting += items.subtracting(known).map { Waiting(item: $0) }
    waiting.sort {
      ($0.item.source, $0.item.revision, $0.item.snapshot.description, $0.item.target ?? "")
        < ($1.item.source, $1.item.revision, $1.item.snapshot.description, $1.item.target ?? "")
    }
    (self.boot, self.uptime, clock) = (boot, uptime, now)
  }

  private func passed(grace: TimeSpan, boot: String?, uptime: TimeSpan, now: Timestamp) -> TimeSpan {
    guard let clock else { return .zero }
    if let boot, boot == self.boot { return max(.zero, uptime - self.uptime) }
    return min(max(.zero, now - clock), grace / 2)
  }

  /// Returns the duration for which this removal has been known; `nil` when it is not known.
  func waited(_ item: Item) -> TimeSpan? { waiting.first { $0.item == item }?.waited }

  /// The durations of all removals, for many look-ups.
  package var all: [Item: TimeSpan] { Dictionary(waiting.map { ($0.item, $0.waited) }) { $1 } }
}

extension Host {
  /// The kernel's ID of this start of the machine.
  package var bootID: String? {
    guard let file = try? files.open(Path("/proc/sys/kernel/random/boot_id"), .read),
      let bytes = try? file.contents(max: 64)
    else { return nil }
    return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }
}
