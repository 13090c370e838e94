package import HoldfastEngine
internal import HoldfastModel

/// `holdfast status --nagios`: one line according to the guidelines for Nagios plugins, with performance data after a
/// bar.
package struct NagiosLine {
  package let status: NagiosStatus
  package let text: String

  package init(_ statuses: [SourceStatus], _ objectives: Objectives, location: String) {
    guard !statuses.isEmpty else {
      status = .critical
      text = "HOLDFAST CRITICAL - " + Self.oneLine("no snapshots in \(location)")
      return
    }
    let worst = statuses.compactMap(\.level).max()
    status =
      switch worst {
      case .critical: .critical
      case .warning: .warning
      case nil: .ok
      }
    let concerns = statuses.flatMap { status in
      status.concerns.map { (level: $0.level, text: "\(status.name): \($0.text)") }
    }
    let worstFirst = concerns.filter { $0.level == .critical } + concerns.filter { $0.level == .warning }
    let said = worstFirst.isEmpty ? Self.summary(statuses) : worstFirst.map(\.text).joined(separator: "; ")
    let data = statuses.flatMap { Self.performance($0) }.joined(separator: " ")
    text = "HOLDFAST \(StatusText.word(worst)) - \(Self.oneLine(said)) | \(data)"
  }

  package static func unknown(_ reason: String) -> String { "HOLDFAST UNKNOWN - \(oneLine(reason))" }

  private static func summary(_ statuses: [SourceStatus]) -> String {
    let count = Amount.count(UInt64(statuses.count), "source")
    let oldest = statuses.compactMap { status in status.completeAge.map { (age: $0, name: status.name) } }.max {
      $0.age < $1.age
    }
    return count + (oldest.map { ", the newest snapshot of \($0.name) is \(Amount.age($0.age)) old" } ?? "")
  }

  /// Removes bars and newlines: a bar would begin the performance data, and a second line the long output.
  package static func oneLine(_ text: String) -> String {
    String(text.map { $0 == "|" ? "/" : $0.isNewline ? " " : $0 })
  }

  /// `'label'=value[unit];warn;crit;min`
  private static func performance(_ status: SourceStatus) -> [String] {
    func datum(_ label: String, _ value: Double?, _ unit: String, critical: Double? = nil) -> String {
      guard let value else { return "'\(status.name)_\(label)'=U" }
      return "'\(status.name)_\(label)'=\(PrometheusText.number(value))\(unit);;"
        + (critical.map { PrometheusText.number($0) } ?? "") + ";0"
    }
    let known = [
      datum("age", status.completeAge?.rounded().seconds, "s", critical: status.objectives.maxAge?.seconds),
      datum(
        "chain", status.newest?.chainLength.map { Double($0) }, "",
        critical: status.objectives.maxChain.map { Double($0) }),
      datum("stored", Double(status.storedBytes), "B"),
      datum("restore", status.restoreDuration.map { ($0.seconds * 1000).rounded() / 1000 }, "s"),
    ]
    let objectives = status.objectives
    guard status.drills.count > 0 || objectives.drilledWithin != nil || objectives.restoreWithin != nil else {
      return known
    }
    return known + [
      datum(
        "drilled", status.drills.passedAge?.rounded().seconds, "s",
        critical: objectives.drilledWithin?.seconds),
      datum(
        "rto", status.drills.worstTime.map { ($0.seconds * 1000).rounded() / 1000 }, "s",
        critical: objectives.restoreWithin?.seconds),
    ]
  }
}

/// The exit statuses of a Nagios plugin.
package enum NagiosStatus: Int32, Sendable {
  case ok = 0
  case warning = 1
  case critical = 2
  case unknown = 3
}
