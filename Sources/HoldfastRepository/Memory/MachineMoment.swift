package import HoldfastModel
package import HoldfastSystem

/// A moment in the life of this machine, for records that count for a short time. The time of day, which somebody may
/// set, has no part in it: a moment before the machine was last started is long ago.
package struct MachineMoment: Hashable, Codable, Sendable {
  /// `nil` where the kernel does not tell it: such a moment is always long ago.
  private let boot: String?
  private let uptime: TimeSpan

  /// Now.
  package init(on host: Host) {
    boot = host.bootID
    uptime = host.clock.uptime()
  }

  /// Whether `now` is at most so much later.
  package func isWithin(_ span: TimeSpan, before now: MachineMoment) -> Bool {
    elapsed(until: now).map { (.zero...span).contains($0) } ?? false
  }

  /// The time from this moment to another; `nil` when the machine was started between them.
  package func elapsed(until now: MachineMoment) -> TimeSpan? {
    guard let boot, boot == now.boot else { return nil }
    return now.uptime - uptime
  }
}
