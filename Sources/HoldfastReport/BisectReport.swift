package import HoldfastArchive
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastQuery
internal import HoldfastSystem

/// The command that restores a database as a snapshot has it.
package struct RestoreDatabaseCommand: CustomStringConvertible {
  private let snapshot: Snapshot
  private let paths: [Path]
  private let options: [(name: String, value: String)]

  /// - Parameters:
  ///   - paths: the database, and what belongs to it.
  ///   - options: options that name the repository and its keys.
  package init(_ paths: [Path], of snapshot: Snapshot, options: [(name: String, value: String)]) {
    (self.snapshot, self.paths, self.options) = (snapshot, paths, options)
  }

  package var description: String {
    // A word that begins with a dash would be an option.
    let words = paths.map { path in path.description.hasPrefix("-") ? "./\(path)" : path.description }
    let all = options + words.map { ("--path", $0) } + [("--target", "restored-\(snapshot.id.short)")]
    return "holdfast restore \(snapshot.id.short)" + all.map { " \($0.name) \(ShellText.word($0.value))" }.joined()
  }
}

/// The result of a `bisect` for people.
package enum BisectText {
  /// Returns what one snapshot answers.
  package static func line(_ examined: Bisect.Examined) -> String {
    let answer = examined.answer
    let verdict =
      switch answer {
      case .holds: "holds"
      case .fails: "does not hold"
      case .unanswerable: "cannot be asked"
      case .skipped: "skipped"
      }
    return name(examined.snapshot) + ": " + verdict + (answer.reason.map { ": \($0)" } ?? "")
  }

  package static func lines(_ report: Bisect.Report, _ command: (Snapshot) -> RestoreDatabaseCommand) -> [String] {
    var lines: [String] = []
    if report.isLinear {
      for change in report.changes {
        lines.append("changes from \(line(change.before))")
        lines.append("          to \(line(change.after))")
      }
    }
    switch report.outcome {
    case .holds(let snapshot): lines.append("it holds in the newest snapshot, \(name(snapshot))")
    case .nowhere: lines.append(nowhere(report))
    case .found(let holding, let failing):
      lines.append("last holds in \(name(holding))")
      lines.append("not so in     \(name(failing.snapshot))" + (failing.answer.reason.map { ": \($0)" } ?? ""))
      let skipped = report.examined.filter {
        $0.answer.isSkipped && Snapshot.isOlder(holding, $0.snapshot) && Snapshot.isOlder($0.snapshot, failing.snapshot)
      }
      if !skipped.isEmpty {
        lines.append("between them \(Amount.count(UInt64(skipped.count), "snapshot")) said nothing")
      }
      lines.append("to have the database back as it last was: \(command(holding))")
    }
    lines.append("  examined \(report.examined.count) of \(Amount.count(UInt64(report.count), "snapshot"))")
    return lines
  }

  private static func nowhere(_ report: Bisect.Report) -> String {
    let reason = report.examined.last?.answer.reason.map { "; the newest: \($0)" } ?? ""
    guard report.examined.count < report.count else { return "it holds in no snapshot" + reason }
    return "it holds in none of the snapshots that were examined; --linear examines each" + reason
  }

  private static func name(_ snapshot: Snapshot) -> String {
    "\(snapshot.id.short), number \(snapshot.sequence) of \(snapshot.sourceName), taken \(TimeText.local(snapshot.envelope.started))"
  }
}

/// The result of a `bisect` as `--json` shows it.
package struct BisectJSON: Encodable {
  /// A snapshot with its answer.
  private struct Examined: Encodable {
    let snapshot: SnapshotReferenceJSON
    let answer: String
    let reason: Known<String>

    init(_ examined: Bisect.Examined) {
      snapshot = SnapshotReferenceJSON(examined.snapshot)
      (answer, reason) = (examined.answer.kind, Known(examined.answer.reason))
    }
  }

  private struct Change: Encodable {
    let before: Examined
    let after: Examined
  }

  /// `found`, `holds` or `nowhere`.
  private let outcome: String
  private let database: String
  private let lastHolding: Known<SnapshotReferenceJSON>
  private let firstFailing: Known<Examined>
  private let restoreCommand: Known<String>
  /// The number of snapshots that the source has.
  private let snapshotCount: Int
  private let examined: [Examined]
  private let answerChanges: [Change]
  private let readFrames: UInt64
  private let readBytes: UInt64

  package init(_ report: Bisect.Report, _ command: (Snapshot) -> RestoreDatabaseCommand) {
    database = report.path.description
    let holding: Snapshot?
    let failing: Bisect.Examined?
    switch report.outcome {
    case .holds(let snapshot): (outcome, holding, failing) = ("holds", snapshot, nil)
    case .found(let last, let first): (outcome, holding, failing) = ("found", last, first)
    case .nowhere: (outcome, holding, failing) = ("nowhere", nil, nil)
    }
    lastHolding = Known(holding.map { SnapshotReferenceJSON($0) })
    firstFailing = Known(failing.map { Examined($0) })
    restoreCommand = Known(failing == nil ? nil : holding.map { command($0).description })
    snapshotCount = report.count
    examined = report.examined.map { Examined($0) }
    answerChanges = report.changes.map { Change(before: Examined($0.before), after: Examined($0.after)) }
    (readFrames, readBytes) = (report.framesRead, report.bytesFetched)
  }
}
