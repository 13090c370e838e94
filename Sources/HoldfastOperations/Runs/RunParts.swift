package import HoldfastArchive
package import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// Makes parts of a run's record from the reports of commands.
extension RunRecord.Part {
  /// Makes the part of a run on this snapshot.
  package init(of snapshot: Snapshot) {
    self.init(snapshot.sourceName)
    self.snapshot = snapshot.id
    sequence = snapshot.sequence
    kind = snapshot.envelope.kind
  }

  private init(of envelope: Envelope) {
    self.init(envelope.source.name)
    snapshot = envelope.snapshot
    sequence = envelope.sequence
    kind = envelope.kind
  }

  package init(_ report: Backup.Report) {
    self.init(of: report.envelope)
    readBytes = report.envelope.changes.readBytes
    storedBytes = report.envelope.storedBytes
    incomplete = UInt64(report.problems.count)
  }

  package init(_ report: Merge.Report) {
    if let envelope = report.envelope { self.init(of: envelope) } else { self.init(of: report.chain.tip) }
    readBytes = report.plan?.readBytes ?? 0
    storedBytes = report.envelope?.storedBytes ?? 0
  }

  package init(_ report: Prune.SourceReport) {
    self.init(report.name)
    status = report.refusal?.exitStatus ?? .done
    findings = report.refusal.map { [$0.message] } ?? []
  }

  package init(_ report: Restore.Report, isDelta: Bool) {
    self.init(of: report.snapshot)
    readBytes = report.readBytes
    restoredBytes = report.bytes
    duration = report.duration
    self.isDelta = isDelta
    incomplete = UInt64(report.problems.count)
  }
}

extension RunRecord {
  /// - Parameters:
  ///   - chosen: the only snapshot that was verified; `nil` for all.
  ///   - share: the share of the stored bytes that was read.
  ///   - begin: the position at which that share begins; `nil` when it was drawn at random.
  package static func parts(
    of report: Verify.Report, _ chosen: Snapshot?, share: Double, begin: Double? = nil
  ) -> [Part] {
    var parts: [SourceName: Part] = [:]
    func change(_ source: SourceName, _ change: (inout Part) -> Void) {
      var part = parts[source] ?? chosen.map { Part(of: $0) } ?? Part(source)
      change(&part)
      parts[source] = part
    }
    func add(_ findings: [Verify.Finding], _ proven: UInt64, _ duration: TimeSpan, to source: SourceName) {
      change(source) { part in
        part.share = share
        part.begin = begin
        part.provedBytes = (part.provedBytes ?? 0) &+ proven
        part.duration = (part.duration ?? .zero) + duration
        part.findings += findings.map(\.message)
        part.status = .worst(of: findings.map(\.exitStatus) + [part.status ?? .done])
      }
    }
    for result in report.snapshots {
      add(result.findings, result.provenBytes, result.duration, to: result.snapshot.sourceName)
    }
    for log in report.logs { add(log.findings, log.provenBytes, log.duration, to: log.source) }
    for damage in report.unreadable {
      for source in sources(of: damage.object, among: Array(parts.keys)) {
        change(source) { part in
          part.findings.append(damage.message)
          part.status = max(damage.exitStatus, part.status ?? .done)
        }
      }
    }
    for other in report.others where other.level != .note {
      for source in sources(of: other.object, among: Array(parts.keys)) {
        change(source) { part in
          part.findings.append(other.message)
          part.status = max(other.exitStatus, part.status ?? .done)
        }
      }
    }
    return parts.values.sorted { $0.source < $1.source }
  }

  /// Returns the result of a scrub for each source, at all targets together.
  /// - Parameters:
  ///   - share: the share of the stored bytes that was to be proved.
  ///   - begin: the start of that share in the fixed order of all stored bytes, 0 to 1; `nil` for a random share.
  package static func parts(of results: [ScrubResult], share: Double, begin: Double?) -> [Part] {
    var parts: [SourceName: Part] = [:]
    for result in results {
      for scrub in result.sources {
        var part = parts[scrub.source] ?? Part(scrub.source)
        (part.share, part.begin) = (share, begin)
        part.provedBytes = (part.provedBytes ?? 0).saturatingAdding(scrub.provenBytes)
        part.findings += scrub.findings.map { "\(result.target): \($0.message)" }
        if let failure = scrub.failure { part.findings.append("\(result.target): \(failure.message)") }
        part.status = max(scrub.exitStatus, part.status ?? .done)
        parts[scrub.source] = part
      }
    }
    return parts.values.sorted { $0.source < $1.source }
  }

  /// Returns the sources that an object concerns: its own, or all if it belongs to none.
  private static func sources(of object: String, among all: [SourceName]) -> [SourceName] {
    guard let place = [Keys.sources, Keys.journals].first(where: { object.hasPrefix($0) }) else { return all }
    let name = object.dropFirst(place.count).prefix { $0 != "/" }
    let own = all.filter { $0.key == name }
    return own.isEmpty ? SourceName(String(name)).map { [$0] } ?? all : own
  }
}

extension RunWatch {
  /// Reports paths that were not captured or restored whole.
  /// - Parameter source: the source, if there are several.
  package func name(_ problems: [Problem], of source: SourceName? = nil) {
    for problem in problems {
      let text = "\(problem.path): \(problem.reason)"
      tellAndRecord(Notice(.incomplete, text, of: source), as: "INCOMPLETE: " + text)
    }
  }

  /// Reports the problems and anomalies of a snapshot.
  /// - Parameter source: the source, if there are several.
  package func tell(_ report: Backup.Report, of source: SourceName? = nil) {
    name(report.problems, of: source)
    for anomaly in report.anomalies { tellAndRecord(Notice(.anomaly, "\(anomaly)", of: source), as: "\(anomaly)") }
    guard !report.anomalies.isEmpty else { return }
    let id = report.envelope.snapshot.short
    tell(
      Notice(
        .hint,
        "Nothing is pruned until this is settled: `holdfast show \(id)`; if it was meant, `holdfast accept \(id)`; else restore what came before it."
      ))
  }
}

extension RunWatch {
  /// Reports why no snapshot of a source was removed.
  /// - Parameter source: the source, if there are several.
  package func tell(_ refusal: Prune.Refusal, of source: SourceName? = nil) {
    tell(Notice(.refusal, refusal.message, of: source))
    if let hint = refusal.hint { tell(Notice(.hint, hint)) }
  }
}
