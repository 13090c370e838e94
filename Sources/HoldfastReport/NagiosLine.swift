package import HoldfastEngine
package import HoldfastModel

/// `holdfast status --nagios`: one line according to the guidelines for Nagios plugins, with performance data after a
/// bar.
package struct NagiosLine {
  package let status: NagiosStatus
  private let said: String
  /// Performance data.
  private let data: [String]

  package var text: String {
    "HOLDFAST \(status.word) - \(Self.oneLine(said))" + (data.isEmpty ? "" : " | " + data.joined(separator: " "))
  }

  /// - Parameter name: the name of the repository, if there are lines of several.
  package init(_ statuses: [SourceStatus], _ objectives: Objectives, location: String, of name: String? = nil) {
    status =
      switch StatusVerdict(statuses, objectives).level {
      case .critical: .critical
      case .warning: .warning
      case nil: .ok
      }
    guard !statuses.isEmpty else {
      (said, data) = ("no snapshots in \(location)", [])
      return
    }
    let concerns = statuses.flatMap { status in
      status.concerns.map { (level: $0.level, text: "\(status.name): \($0.text)") }
    }
    let worstFirst = concerns.filter { $0.level == .critical } + concerns.filter { $0.level == .warning }
    said = worstFirst.isEmpty ? Self.summary(statuses) : worstFirst.map(\.text).joined(separator: "; ")
    data = statuses.flatMap { Self.performance($0, prefix: name.map { "\($0)_" } ?? "") }
  }

  /// The line when nothing could be looked at for a reason that says nothing of the repository.
  package init(unknown reason: String) { (status, said, data) = (.unknown, reason, []) }

  /// The line when a repository cannot be opened: critical if that shows that it is damaged or gone.
  package init(_ error: any OperatorError) {
    let isLost = error.scope == .repository || [.noRepository, .dataLoss].contains(error.exitStatus)
    (status, said, data) = (isLost ? .critical : .unknown, error.message, [])
  }

  /// The line for several repositories: the worst status, and what is said of those that are not well.
  package init(_ parts: [(name: String, line: NagiosLine)]) {
    let worst = parts.map(\.line.status).max { $0.severity < $1.severity } ?? .ok
    let unwell = parts.filter { $0.line.status != .ok }.sorted { $0.line.status.severity > $1.line.status.severity }
    status = worst
    said = (unwell.isEmpty ? parts : unwell).map { "\($0.name): \($0.line.said)" }.joined(separator: "; ")
    data = parts.flatMap(\.line.data)
  }

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
  private static func performance(_ status: SourceStatus, prefix: String) -> [String] {
    func datum(_ label: String, _ value: Double?, _ unit: String, critical: Double? = nil) -> String {
      let name = "'\(prefix)\(status.name)_\(label)'"
      guard let value else { return "\(name)=U" }
      return "\(name)=\(PrometheusText.number(value))\(unit);;"
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

  var word: String {
    switch self {
    case .ok: "OK"
    case .warning: "WARNING"
    case .critical: "CRITICAL"
    case .unknown: "UNKNOWN"
    }
  }

  /// Critical goes before unknown.
  var severity: Int {
    switch self {
    case .ok: 0
    case .warning: 1
    case .unknown: 2
    case .critical: 3
    }
  }
}
