internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastStore
internal import HoldfastSystem

/// Compares the clock of this machine with that of a target's server.
struct ServerClockTrial: Trial {
  private static let warningTime = TimeSpan.minutes(1)
  /// Servers of S3 refuse what is dated a quarter of an hour wrong.
  private static let failureTime = TimeSpan.minutes(10)

  private let repository: RepositorySettings
  private let target: TargetSettings
  let opening: Opening? = nil
  let group = TrialGroup(.clock)

  init(target: TargetSettings, of repository: RepositorySettings) {
    (self.target, self.repository) = (target, repository)
  }

  var name: String { repository.others.isEmpty ? repository.name : "\(repository.name), \(target.name)" }

  func run(on machine: MachineContext) throws -> [TrialResult] {
    let store = try repository.context(on: machine).on(target).store()
    guard let time = try store.serverTime() else { return [result(.notTried, "its server does not tell the time")] }
    let ahead = machine.host.clock.now() - time
    let distance = ahead < .zero ? -ahead : ahead
    guard distance > Self.warningTime else { return [result(.ok, "as that of the server, within a minute")] }
    return [
      result(
        distance > Self.failureTime ? .failed : .warning,
        "the clock of this machine is \(Amount.age(distance)) \(ahead < .zero ? "behind" : "ahead of") that of the server",
        hint: "Set the clock (`timedatectl`).")
    ]
  }
}
