import HoldfastArchive
import HoldfastModel
import HoldfastOperations
import HoldfastTestSupport
import Testing

/// The notifications of a watch, which makes a run every few seconds: few, and none that hides a failure.
@Suite struct WatchNotificationTests {
  private let site = Site()
  private let clock = TestClock("2026-05-01T12:00:00Z")
  private let history: NotificationHistory

  init() { history = NotificationHistory(every: .minutes(5), clock: clock.clock) }

  /// Makes a run that ends with a status, with a receiver that notes what it gets.
  private func run(_ command: RunCommand, _ status: HoldfastModel.ExitStatus = .done) throws {
    let machine = site.machine([
      "HOLDFAST_NOTIFY_ON": "success,failure",
      "HOLDFAST_NOTIFY_COMMAND": "echo $HOLDFAST_COMMAND $HOLDFAST_EVENT >> \(site.directory.appending("heard"))",
    ])
    let watch = RunWatch(command, machine, notices: Listener(), isDryRun: false, notifying: history)
    try watch.run { watch.status = status }
  }

  private var heard: [String] {
    String(decoding: TestFiles.read(site.directory.appending("heard")) ?? [], as: UTF8.self)
      .split(separator: "\n").map(String.init)
  }

  /// Two seconds after a verify has found damage, an increment succeeds. That proves nothing of the damage.
  @Test func aSuccessOfABackupDoesNotHideWhatAVerifyHasFound() throws {
    try run(.backup)
    try run(.verify, .dataLoss)
    try run(.backup)
    try run(.verify, .dataLoss)
    clock.advance(.hours(1))
    try run(.backup)
    #expect(heard == ["backup success", "verify failure"])
    try run(.verify)
    try run(.backup)
    #expect(heard == ["backup success", "verify failure", "verify success"])
    clock.advance(.minutes(6))
    try run(.backup)
    #expect(heard.last == "backup success" && heard.count == 4)
  }
}
