internal import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel

/// The result of a verify as JUnit XML, with one test case for each snapshot.
package enum JUnitReport {
  private static let head = #"<?xml version="1.0" encoding="UTF-8"?>"# + "\n"

  package static func xml(_ report: Verify.Report) -> String { head + suite(report, name: "holdfast verify") }

  /// Returns the results for several repositories, with a test suite for each.
  package static func xml(_ results: [(name: String, result: Result<Verify.Report, any Error>)]) -> String {
    let suites = results.map { name, result in
      switch result {
      case .success(let report): suite(report, name: "holdfast verify \(name)")
      case .failure(let error): suite(failure: describe(error).message, name: "holdfast verify \(name)")
      }
    }
    return head + "<testsuites>\n" + suites.joined() + "</testsuites>\n"
  }

  private static func suite(_ report: Verify.Report, name: String) -> String {
    let logFailures = report.logs.count { !$0.findings.isEmpty }
    let others = report.others.filter { $0.level != .note }
    let failures =
      report.snapshots.count { !$0.findings.isEmpty } + report.unreadable.count + logFailures + others.count
    let count = report.snapshots.count + report.unreadable.count + report.logs.count + others.count
    var lines = [
      #"<testsuite name="\#(escape(name))" tests="\#(count)" failures="\#(failures)" errors="0" skipped="0" time="\#(report.duration.seconds)">"#
    ]
    let closed = report.snapshots.count { $0.isClosed } + report.logs.count { $0.isClosed }
    if closed > 0 {
      // Nothing sealed was read of these snapshots. Without this, the report would suggest that they were verified
      // completely.
      lines += ["  <properties>", #"    <property name="closed" value="\#(closed)"/>"#, "  </properties>"]
    }
    for result in report.snapshots {
      let name = "\(result.snapshot.sequence) \(result.snapshot.id)"
      lines += testCase(result.snapshot.sourceName.text, name, result.duration, result.findings)
    }
    for log in report.logs {
      lines += testCase(log.source.text, "log of cluster \(log.system)", log.duration, log.findings)
    }
    let objects =
      report.unreadable.map { ("envelope", $0.object, $0.message) } + others.map { ("other", $0.object, $0.message) }
    for (group, object, message) in objects {
      lines += [
        #"  <testcase classname="\#(group)" name="\#(escape(object))">"#,
        #"    <failure message="\#(escape(message))"/>"#, "  </testcase>",
      ]
    }
    return lines.joined(separator: "\n") + "\n</testsuite>\n"
  }

  /// Returns the result of a verify that ended before it had one.
  package static func xml(failure message: String) -> String {
    head + suite(failure: message, name: "holdfast verify")
  }

  private static func suite(failure message: String, name: String) -> String {
    """
    <testsuite name="\(escape(name))" tests="1" failures="0" errors="1" skipped="0">
      <testcase classname="verify" name="verify">
        <error message="\(escape(message))"/>
      </testcase>
    </testsuite>

    """
  }

  private static func testCase(
    _ group: String, _ name: String, _ duration: TimeSpan, _ findings: [Verify.Finding]
  ) -> [String] {
    let start = #"  <testcase classname="\#(escape(group))" name="\#(escape(name))" time="\#(duration.seconds)""#
    guard !findings.isEmpty else { return [start + "/>"] }
    let message = findings.map(\.message).joined(separator: "; ")
    return [start + ">", #"    <failure message="\#(escape(message))"/>"#, "  </testcase>"]
  }

  private static func escape(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "\n", "\t": escaped += " "
      case _ where scalar.value < 0x20: escaped += "?"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
