internal import HoldfastModel
internal import HoldfastReport

/// The results of `check` for people: one line for each thing that was tried.
package enum DoctorText {
  /// - Parameter onlyConcerns: true to leave out what is well and what was not tried.
  package static func lines(_ report: DoctorReport, onlyConcerns: Bool = false) -> [String] {
    let shown = report.results.filter { !onlyConcerns || $0.verdict >= .warning }
    var lines: [String] = []
    var groups: [TrialGroup] = []
    for group in shown.map(\.group) where !groups.contains(group) { groups.append(group) }
    for group in groups {
      lines.append(title(group))
      let results = shown.filter { $0.group == group }
      var table = Table()
      for result in results { table.add(["", word(result.verdict), result.name, result.text]) }
      for (line, result) in zip(table.lines, results) {
        lines.append(line)
        if let hint = result.hint { lines.append("    HINT: \(hint)") }
      }
    }
    return onlyConcerns ? lines : lines + [summary(report)]
  }

  /// `1 failed, 2 warnings, 12 ok, 3 not tried`
  static func summary(_ report: DoctorReport) -> String {
    let failed = report.count(.failed)
    let warnings = UInt64(report.count(.warning))
    return [
      failed > 0 ? "\(failed) failed" : nil, warnings > 0 ? Amount.count(warnings, "warning") : nil,
      "\(report.count(.ok)) ok", "\(report.count(.notTried)) not tried",
    ].compactMap(\.self).joined(separator: ", ")
  }

  /// `repository shop`, `clock`
  static func title(_ group: TrialGroup) -> String {
    guard let subject = group.subject else { return group.kind.rawValue }
    switch group.kind {
    case .repository, .source: return "\(group.kind.rawValue) \(subject)"
    default: return "\(group.kind.rawValue) of \(subject)"
    }
  }

  static func word(_ verdict: TrialVerdict) -> String { verdict == .notTried ? "not tried" : verdict.rawValue }
}
