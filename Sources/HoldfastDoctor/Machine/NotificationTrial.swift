internal import HoldfastModel
internal import HoldfastOperations

/// Sends a notification to each receiver that is configured.
struct NotificationTrial: Trial {
  /// True if it sends; otherwise it only looks who would be told.
  let sends: Bool
  let opening: Opening? = nil
  let group = TrialGroup(.notification)
  let name = "receivers"
  /// Each of several receivers may take half a minute.
  let limit = TimeSpan.minutes(3)

  func run(on machine: MachineContext) throws -> [TrialResult] {
    let test = NotificationTest(machine)
    let problems = test.problems.map { result(.failed, $0, hint: "Run `holdfast config check`.") }
    guard !test.receivers.isEmpty else {
      return problems.isEmpty ? [result(.notTried, "none is configured: nobody is told when a run fails")] : problems
    }
    guard sends else {
      return problems + test.receivers.map { result(.notTried, "--notify sends it one", name: $0) }
    }
    return problems
      + test.send().map { answer in
        switch answer.result {
        case .success(let text): result(.ok, text, name: answer.receiver)
        case .failure(let error):
          result(
            .failed, describe(error).message,
            hint: describe(error).hint ?? "Correct it below `notifications`, or where it is received.",
            name: answer.receiver)
        }
      }
  }
}
