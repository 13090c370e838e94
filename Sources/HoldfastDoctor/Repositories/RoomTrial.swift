internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastStore
internal import HoldfastSystem

/// Asks a target how much can still be stored there, and tells in how many days that ends.
struct RoomTrial: Trial {
  private static let warningTime = TimeSpan.days(14)
  private static let failureTime = TimeSpan.days(2)

  let target: TargetSettings
  let opening: Opening?

  var group: TrialGroup { TrialGroup(.room, of: opening?.name) }
  var name: String { opening?.settings.lineName(of: target) ?? target.name }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    guard let opening else { return [] }
    let store = try opening.settings.context(on: machine).on(target).store()
    guard let free = try store.availableBytes() else {
      return [result(.notTried, "it does not tell how much is free")]
    }
    let text = "\(Amount.bytes(free)) are free"
    guard free > 0 else { return [result(.failed, text, hint: hint(opening))] }
    // Of what is divided, a target gets one shard.
    let share = 1 / Double(opening.settings.erasure?.data ?? 1)
    let sources = try opening.stored()
    let (verdict, end) = Self.end(of: free, sources, share: share, now: machine.host.clock.now())
    let full = Double(sources.compactMap(\.newestFull).map(\.bytes).max() ?? 0) * share
    guard full < Double(free) else {
      let needed = Amount.bytes(UInt64(saturating: full))
      return [result(max(verdict, .warning), "\(text); \(end); another full takes \(needed)", hint: hint(opening))]
    }
    return [result(verdict, "\(text); \(end)", hint: verdict == .ok ? nil : hint(opening))]
  }

  /// Returns when so many bytes are used up, as a sentence without its beginning.
  private static func end(
    of free: UInt64, _ sources: [StorageGrowth.Source], share: Double, now: Timestamp
  ) -> (verdict: TrialVerdict, text: String) {
    guard let growth = StorageGrowth(sources, now: now) else {
      return (.ok, "too little was stored so far to tell when that ends")
    }
    guard let time = growth.time(until: free, share: share) else {
      let isKnown = growth.bound == .atMost
      return (.ok, isKnown ? "the end is not in sight" : "too few fulls are known to tell when that ends")
    }
    let verdict: TrialVerdict = time < failureTime ? .failed : time < warningTime ? .warning : .ok
    let amount = Amount.bytes(UInt64(saturating: growth.bytesPerDay * share))
    let days = Amount.count(UInt64(saturating: time / .days(1)), "day")
    let latest = growth.bound == .atLeast ? " at the latest" : ""
    return (verdict, "\(growth.bound.words) \(amount) are stored a day, and it is full in \(days)\(latest)")
  }

  private func hint(_ opening: Opening) -> String {
    "Make room there, or run `holdfast prune -r \(opening.name) --dry-run` to see what could go."
  }
}
