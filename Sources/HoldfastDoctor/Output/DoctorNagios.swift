package import HoldfastReport

/// `holdfast check --nagios`: one line as a Nagios plugin prints it, with the numbers of results after a bar.
package struct DoctorNagios {
  package let status: NagiosStatus
  package let text: String

  package init(_ report: DoctorReport) {
    let word: String
    switch report.verdict {
    case .ok: (status, word) = (.ok, "OK")
    case .notTried: (status, word) = (.unknown, "UNKNOWN")
    case .warning: (status, word) = (.warning, "WARNING")
    case .failed: (status, word) = (.critical, "CRITICAL")
    }
    let concerns = report.results.filter { $0.verdict == .failed } + report.results.filter { $0.verdict == .warning }
    let said = concerns.map { "\(DoctorText.title($0.group)), \($0.name): \($0.text)" }.joined(separator: "; ")
    let data =
      "'failed'=\(report.count(.failed));;0 'warnings'=\(report.count(.warning));0 'ok'=\(report.count(.ok)) 'notTried'=\(report.count(.notTried))"
    text = "HOLDFAST \(word) - \(NagiosLine.oneLine(said.isEmpty ? DoctorText.summary(report) : said)) | \(data)"
  }
}
