/// The results of `check` as `--json` shows them.
package struct DoctorJSON: Encodable {
  private struct Result: Encodable {
    let group: String
    let subject: String?
    let name: String
    let verdict: String
    let text: String
    let hint: String?

    private enum CodingKeys: CodingKey { case group, subject, name, verdict, text, hint }

    /// Writes every key: what there is not is `null`.
    func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(group, forKey: .group)
      try values.encode(subject, forKey: .subject)
      try values.encode(name, forKey: .name)
      try values.encode(verdict, forKey: .verdict)
      try values.encode(text, forKey: .text)
      try values.encode(hint, forKey: .hint)
    }
  }

  private let verdict: String
  private let failedCount: Int
  private let warningCount: Int
  private let okCount: Int
  private let notTriedCount: Int
  private let results: [Result]

  package init(_ report: DoctorReport) {
    verdict = report.verdict.rawValue
    (failedCount, warningCount) = (report.count(.failed), report.count(.warning))
    (okCount, notTriedCount) = (report.count(.ok), report.count(.notTried))
    results = report.results.map {
      Result(
        group: $0.group.kind.rawValue, subject: $0.group.subject, name: $0.name, verdict: $0.verdict.rawValue,
        text: $0.text, hint: $0.hint)
    }
  }
}
