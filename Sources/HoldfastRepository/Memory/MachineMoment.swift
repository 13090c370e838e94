package import HoldfastModel
package import HoldfastSystem

/// A moment in the life of this machine, for records that are valid for a short time. It does not contain the time of
/// day, which somebody may set. A moment before the machine was last started is long ago.
package struct MachineMoment: Hashable, Codable, Sendable {
  /// `nil` if the kernel does not provide it: such a moment is always long ago.
  private let boot: String?
  private let uptime: TimeSpan

  /// The moment now.
  package init(on host: Host) {
    boot = host.bootID
    uptime = host.clock.uptime()
  }

  /// True if `now` is later by at most `span`.
  package func isWithin(_ span: TimeSpan, before now: MachineMoment) -> Bool {
    elapsed(until: now).map { (.zero...span).contains($0) } ?? false
  }

  /// Returns the time from this moment to another; `nil` when the machine was started between them.
  package func elapsed(until now: MachineMoment) -> TimeSpan? {
    guard let boot, boot == now.boot else { return nil }
    return now.uptime - uptime
  }
}
