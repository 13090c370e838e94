internal import HoldfastArchive
package import HoldfastConfiguration
package import HoldfastModel
package import HoldfastStandby
internal import HoldfastSystem

/// The plan of a failover: what it finds, and what it would do.
package struct FailoverPlan: Sendable {
  package let source: SourceName
  package let repository: Identifier
  /// The name of this host.
  package let host: HostName
  /// The directory of the standby.
  package let directory: Path
  /// The host that serves; `nil` if none was ever announced.
  package let role: ServingRole?
  /// The newest number of the lease, and the machine on which its holder runs; `nil` if there is none.
  package let newest: (number: UInt64, machine: String)?
  /// The newest snapshot that can be restored, and those that would be lost.
  package let outlook: Takeover.Outlook
  /// The note of an earlier call; `nil` if there is none.
  package let promotion: Promotion?
  package let commands: [FailoverSettings.Task: FailoverSettings.Command]
  /// The reason for which an operator says that the other host cannot serve; `nil`: the fence makes sure of it.
  package let fencedBecause: String?
  package let now: Timestamp

  /// True if this host is the one that serves by the newest number: it was announced, or the other has handed over.
  package var isAnnounced: Bool { role?.serving == host }
  /// The note of an earlier call, if it was made for the number that announces this host, and `promote` was begun.
  /// `nil` for a note of an earlier time: another host has served since, and the copy has not its orders.
  package var current: Promotion? {
    guard isAnnounced, let promotion, promotion.stage != .announcing, promotion.since == role?.since else { return nil }
    return promotion
  }

  /// True if there is nothing to do.
  package var isDone: Bool { current?.stage == .serving }
  /// The age of the newest snapshot.
  package var age: TimeSpan { max(.zero, now - outlook.newest.envelope.started) }

  /// The steps that would be made.
  package var steps: [FailoverCourse.Step] {
    isDone ? [] : isAnnounced ? [.take, .restore, .promote, .tell] : FailoverCourse.Step.allCases
  }

  /// The host that serves, in words.
  package var served: String {
    guard let role else {
      return newest.map {
        "no host was ever announced to serve \(source); its lease was last held on \(Path($0.machine))"
      }
        ?? "no host was ever announced to serve \(source), and nobody has ever held its lease"
    }
    return isDone
      ? "this host, \(host), serves \(source) since number \(role.since)"
      : isAnnounced
        ? "\(source) is announced to be served by this host, \(host), since number \(role.since)"
        : role.isAwaited
          ? "\(role.serving) was announced to serve \(source), since number \(role.since), and does not yet"
          : "\(role.serving) serves \(source) since number \(role.since)"
  }

  /// The plan for people.
  package var lines: [String] {
    let snapshot = outlook.newest
    var lines = [served]
    guard !isDone else { return lines }
    lines.append(
      "  newest     snapshot \(snapshot.id.short), number \(snapshot.sequence), taken \(TimeText.local(snapshot.envelope.started)), \(Amount.age(age)) ago"
    )
    lines.append(
      isAnnounced ? "  lost       nothing that is not lost already" : "  lost       what came after that")
    for passed in outlook.passedOver {
      lines.append(
        "  lost       snapshot \(passed.id.short), number \(passed.sequence), which is not whole, damaged, or not accepted"
      )
    }
    lines += outlook.concerns.map { "  WARNING    \($0.text)" }
    lines.append(
      "  standby    \(directory), \(outlook.copy.map { "where copy \($0) is that snapshot already" } ?? "where a copy is brought up to it first")"
    )
    return lines + commandLines
  }

  private var commandLines: [String] {
    func line(_ task: FailoverSettings.Task) -> String {
      let name = task.rawValue.padding(to: 10)
      guard let command = commands[task] else { return "  \(name) none is configured" }
      return "  \(name) \(Path(command.text)) (\(command.timeout) at most)"
    }
    guard !isAnnounced else { return [line(.promote)] }
    let fence = fencedBecause.map { ["  fence      was done: \(Path($0))"] } ?? [line(.fence)]
    return [line(.probe)] + fence + [line(.promote)]
  }
}

extension String {
  fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
