package import HoldfastArchive
internal import HoldfastConfiguration
package import HoldfastModel
internal import HoldfastStandby
internal import HoldfastStore
internal import HoldfastSystem

/// A failover that has come to its end, or its plan.
package struct FailoverReport: Sendable {
  package let plan: FailoverPlan
  package let isDryRun: Bool
  /// The number that says that this host serves; `nil` for a plan.
  package internal(set) var since: UInt64?
  /// The snapshot from which this host serves, or would.
  package internal(set) var snapshot: Snapshot
  /// The path of the copy from which this host serves.
  package internal(set) var data: Path?
  /// The checks that were made in it, in words.
  package internal(set) var checks: [String] = []
  package internal(set) var writtenBytes: UInt64 = 0
  package internal(set) var duration = TimeSpan.zero

  package init(_ plan: FailoverPlan, isDryRun: Bool) {
    (self.plan, self.isDryRun, snapshot) = (plan, isDryRun, plan.outlook.newest)
  }

  /// The report for people.
  package var lines: [String] {
    guard let since, let data, !isDryRun else { return plan.lines }
    return [
      "\(plan.host) serves \(plan.source) since number \(since), from snapshot \(snapshot.id.short), number \(snapshot.sequence), taken \(TimeText.local(snapshot.envelope.started)), in \(data)"
    ] + checks.map { "  \($0)" } + ["  it took \(Amount.duration(duration))"]
  }
}

extension FailoverReport: Encodable {
  private enum CodingKeys: String, CodingKey {
    case source, repository, host, directory, dryRun, done, serving, newest, passedOver, concerns, steps, commands
    case fencedBecause, data, checks, writtenBytes, seconds
    case since = "sinceNumber"
  }

  private struct Serving: Encodable {
    let host: String
    let sinceNumber: UInt64
  }

  private struct Numbered: Encodable {
    let id: String
    let sequence: UInt64
    let time: String
    init(_ snapshot: Snapshot) {
      (id, sequence) = (snapshot.id.description, snapshot.sequence)
      time = snapshot.envelope.time.started.description
    }
  }

  private struct Command: Encodable {
    let task: String
    let command: String
    let timeoutSeconds: TimeSpan
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(plan.source.text, forKey: .source)
    try container.encode(plan.repository.description, forKey: .repository)
    try container.encode(plan.host.text, forKey: .host)
    try container.encode(plan.directory.description, forKey: .directory)
    try container.encode(isDryRun, forKey: .dryRun)
    try container.encode(plan.isDone || since != nil, forKey: .done)
    try container.encode(plan.role.map { Serving(host: $0.serving.text, sinceNumber: $0.since) }, forKey: .serving)
    try container.encode(Numbered(snapshot), forKey: .newest)
    try container.encode(plan.outlook.passedOver.map { Numbered($0) }, forKey: .passedOver)
    try container.encode(plan.outlook.concerns, forKey: .concerns)
    try container.encode(plan.steps.map(\.rawValue), forKey: .steps)
    let commands = FailoverSettings.Task.allCases.compactMap { task in
      plan.commands[task].map { Command(task: task.rawValue, command: $0.text, timeoutSeconds: $0.timeout) }
    }
    try container.encode(commands, forKey: .commands)
    try container.encode(plan.fencedBecause, forKey: .fencedBecause)
    try container.encode(since, forKey: .since)
    try container.encode(data?.description, forKey: .data)
    try container.encode(checks, forKey: .checks)
    try container.encode(writtenBytes, forKey: .writtenBytes)
    try container.encode(duration, forKey: .seconds)
  }
}
