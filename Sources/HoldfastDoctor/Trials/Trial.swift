internal import HoldfastModel
internal import HoldfastOperations

/// Something that `check` tries. Each kind is a type of its own, and `TrialPlan` says which of them are run.
protocol Trial: Sendable {
  var group: TrialGroup { get }
  /// The name of its line, if it throws or does not end in time.
  var name: String { get }
  /// The longest time that it may take.
  var limit: TimeSpan { get }
  /// True if the result depends on who runs it: on keys and logins that one user has and another has not.
  var isOfUser: Bool { get }
  /// The repository that must be open before it begins; `nil` if it needs none.
  var opening: Opening? { get }

  /// Tries it.
  /// - Parameter machine: ends the work of a trial that takes too long.
  /// - Returns: its results, in the order in which they are shown.
  /// - Throws: the reason why what was tried failed.
  func run(on machine: MachineContext) throws -> [TrialResult]
}

extension Trial {
  var limit: TimeSpan { .seconds(60) }
  var isOfUser: Bool { false }

  /// - Parameter name: the name of the line; `nil` for that of the trial.
  func result(
    _ verdict: TrialVerdict, _ text: String, hint: String? = nil, name: String? = nil
  ) -> TrialResult {
    TrialResult(group: group, name: name ?? self.name, verdict: verdict, text: text, hint: hint)
  }

  /// Returns the result for an error.
  func failure(_ error: any Error, name: String? = nil) -> TrialResult {
    let known = describe(error)
    return result(.failed, known.message, hint: known.hint, name: name)
  }
}
