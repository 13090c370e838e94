internal import HoldfastArchive
package import HoldfastDrill
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// `holdfast drill` for people: a line for each phase, then the verdict in one sentence.
package enum DrillText {
  package static func lines(_ report: Drill.Report) -> [String] {
    let envelope = report.snapshot.envelope
    var table = Table()
    for result in report.phases {
      let isLast = report.failure?.phase == result.phase
      table.add([result.phase.rawValue, Amount.duration(result.duration), isLast ? "FAILED" : result.text])
    }
    return [
      "drill of \(envelope.source.name), snapshot \(envelope.snapshot.short), taken \(TimeText.local(envelope.started))"
    ] + table.lines.map { "  \($0)" } + [(report.failure == nil && !report.isDryRun ? "passed: " : "") + report.verdict]
      + (report.isKept ? ["the restored data stays in \(report.data): remove it when it is no longer needed"] : [])
  }
}

/// `holdfast drill --json`.
package struct DrillJSON: Encodable {
  private struct Phase: Encodable {
    let phase: String
    let seconds: TimeSpan
    let text: String
  }

  private struct Failure: Encodable {
    let phase: String
    let error: ErrorJSON.Failure
  }

  private let snapshot: SnapshotReferenceJSON
  /// True if the snapshot is another one than the newest.
  private let olderSnapshot: Bool
  private let dryRun: Bool
  private let passed: Known<Bool>
  private let phases: [Phase]
  /// The time until the restored databases answered.
  private let restoreSeconds: TimeSpan
  private let seconds: TimeSpan
  private let restoredBytes: Known<UInt64>
  private let databases: [String]
  /// The checks that were not made, with the reason of each.
  private let unchecked: [String]
  private let assertionsHeld: Int
  private let failure: Known<Failure>
  private let log: Known<String>
  /// The restored data, if it is kept.
  private let data: Known<String>

  package init(_ report: Drill.Report) {
    (snapshot, dryRun) = (SnapshotReferenceJSON(report.snapshot), report.isDryRun)
    olderSnapshot = report.isOlder
    passed = Known(report.isDryRun ? nil : report.failure == nil)
    phases = report.phases.map { Phase(phase: $0.phase.rawValue, seconds: $0.duration, text: $0.text) }
    (restoreSeconds, seconds) = (report.restoreTime, report.duration)
    restoredBytes = Known(report.restore?.bytes)
    (databases, assertionsHeld) = (report.databases.map(\.description), report.assertionsHeld)
    unchecked = report.unchecked
    failure = Known(
      report.failure.map {
        Failure(phase: $0.phase.rawValue, error: ErrorJSON.Failure($0.error))
      })
    log = Known(report.log?.description)
    data = Known(report.isKept ? report.data.description : nil)
  }
}
