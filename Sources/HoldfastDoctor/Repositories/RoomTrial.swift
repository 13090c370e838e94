internal import HoldfastConfiguration
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
    let stored = try opening.history().known.map { known in
      (time: known.stored, bytes: UInt64(saturating: Double(known.bytes) * share))
    }
    guard let trend = GrowthTrend(stored, now: machine.host.clock.now()) else {
      return [result(.ok, "\(text); too little was stored so far to tell when that ends")]
    }
    guard let time = trend.time(until: free) else { return [result(.ok, "\(text); the end is not in sight")] }
    let days = Amount.count(UInt64(saturating: time / .days(1)), "day")
    let growth = Amount.bytes(UInt64(saturating: trend.bytesPerDay))
    let verdict: TrialVerdict = time < Self.failureTime ? .failed : time < Self.warningTime ? .warning : .ok
    return [
      result(
        verdict, "\(text); \(growth) are stored a day, and it is full in \(days)",
        hint: verdict == .ok ? nil : hint(opening))
    ]
  }

  private func hint(_ opening: Opening) -> String {
    "Make room there, or run `holdfast prune -r \(opening.name) --dry-run` to see what could go."
  }
}
