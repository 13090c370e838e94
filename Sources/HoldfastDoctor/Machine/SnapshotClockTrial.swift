internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem

/// Compares the clock of this machine with the newest snapshots, which must not be from the future.
struct SnapshotClockTrial: Trial {
  /// The clocks of two machines may differ by so much.
  private static let skew = TimeSpan.minutes(1)

  let opening: Opening?
  let group = TrialGroup(.clock)
  var name: String { "snapshots of \(opening?.name ?? "")" }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    guard let opening else { return [] }
    let now = machine.host.clock.now()
    guard let latest = try opening.history().known.max(by: { $0.started < $1.started }) else {
      return [result(.notTried, "there is none")]
    }
    let ahead = latest.started - now
    guard ahead > Self.skew else { return [result(.ok, "none is from the future")] }
    return [
      result(
        .warning, "one of \(latest.source) is dated \(Amount.age(ahead)) after now, \(TimeText.local(now))",
        hint:
          "Set the clock (`timedatectl`). If it was wrong when the snapshot was taken, the next snapshot mends that.")
    ]
  }
}
