internal import HoldfastModel

/// The errors of a drill that passed one of its limits.
extension DrillLimits.Breach {
  /// Returns the error with which the drill ends. It says nothing of the snapshot, but for a recovery that took longer
  /// than a restore may take.
  /// - Parameters:
  ///   - phase: the phase in which it ended.
  ///   - restoreTime: the time that the restore took so far.
  ///   - restoreWithin: the time that a restore may take, as the site demands it; `nil` if it demands none.
  func error(in phase: Drill.Phase, after restoreTime: TimeSpan, restoreWithin: TimeSpan?) -> any OperatorError {
    switch self {
    case .time(let timeout):
      if phase == .recovery, let restoreWithin, restoreTime > restoreWithin {
        return DrillFailure(
          "the recovery had not ended \(Amount.duration(restoreTime)) after the beginning of the restore, and \(Amount.duration(restoreWithin)) are allowed",
          hint: "The log of the drill has what the server said. Take snapshots more often: then less log is replayed.")
      }
      return EngineError(
        .machine, "the drill could not be finished: it was at \(phase.rawValue) after \(Amount.duration(timeout))",
        hint: "Raise `timeout:` of drill in the configuration, or say --timeout.")
    case .assertion(let number, let span):
      return EngineError(
        .machine,
        "the drill could not be finished: assertion \(number) was not answered within \(Amount.duration(span))",
        hint: "Raise its `timeout:`, or ask something that is answered sooner.")
    case .room(let free, let directory, let left):
      return EngineError(
        .machine,
        "the drill could not be finished: \(Amount.bytes(free)) are free in \(directory), and \(Amount.bytes(left)) are left to others",
        hint: "Free space there, or name another directory with --in DIR.")
    case .unknownSize(let reason, let directory):
      return EngineError(
        .machine, "the drill could not be finished: it cannot be told how much it holds in \(directory): \(reason)",
        hint: "See what is there. Without max-size, only the free space is watched.")
    case .size(let size, let max):
      return EngineError(
        .usage,
        "the drill could not be finished: it holds \(Amount.bytes(size)) at \(phase.rawValue), and may hold \(Amount.bytes(max))",
        hint: "Raise max-size of drill in the configuration, or say --max-size.")
    }
  }
}
