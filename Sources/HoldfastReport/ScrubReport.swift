internal import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel

/// `holdfast scrub --json`.
package struct ScrubJSON: Encodable {
  private struct Finding: Encodable {
    let object: String
    let text: String
    /// `repaired`, `repairable`, `unrepaired`, `doubtful` or `lost`.
    let outcome: String
    /// `parity`, `targets` or `source`: what it was repaired from. Of what is repairable only `source`.
    let origin: String?
    /// Why it was not repaired, or why the source cannot give it back.
    let reason: String?
    /// The snapshots that lose data by it.
    let snapshots: [SnapshotReferenceJSON]

    init(_ finding: ScrubFinding) {
      (object, text, outcome) = (finding.object, finding.message, finding.outcome.name)
      origin = finding.origin?.name
      if case .unrepaired(let reason) = finding.outcome { self.reason = reason } else { reason = finding.obstacle }
      snapshots = finding.snapshots.map { SnapshotReferenceJSON($0) }
    }
  }

  private struct Source: Encodable {
    let source: String
    let sound: Bool
    let provedBytes: UInt64
    let provedObjects: UInt64
    let findings: [Finding]
    /// Snapshots of home that the target does not have.
    let behind: Int
    let behindLogFiles: Int
    let unknownObjects: Int
    let newestWhole: SnapshotReferenceJSON?
    let error: ErrorJSON.Failure?

    init(_ scrub: SourceScrub) {
      (source, sound) = (scrub.source.text, scrub.isSound)
      (provedBytes, provedObjects) = (scrub.provenBytes, scrub.provenObjects)
      findings = scrub.findings.map { Finding($0) }
      (behind, behindLogFiles) = (scrub.behind.snapshots, scrub.behind.logs)
      unknownObjects = scrub.unknown.count
      newestWhole = scrub.newestWhole.map { SnapshotReferenceJSON($0) }
      error = scrub.failure.map { ErrorJSON.Failure($0) }
    }
  }

  private struct Target: Encodable {
    let target: String
    let location: String
    let home: Bool
    let sound: Bool
    let findings: [Finding]
    let sources: [Source]
    let error: ErrorJSON.Failure?
  }

  /// True if all targets are sound or repaired, not behind, and did not fail.
  private let sound: Bool
  private let share: Double
  private let targets: [Target]

  package init(_ results: [ScrubResult], share: Double) {
    (sound, self.share) = (results.allSatisfy(\.isSound), share)
    targets = results.map { result in
      Target(
        target: result.target, location: result.location, home: result.isHome, sound: result.isSound,
        findings: result.findings.map { Finding($0) }, sources: result.sources.map { Source($0) },
        error: result.failure.map { ErrorJSON.Failure($0) })
    }
  }
}

extension ScrubFinding.Outcome {
  fileprivate var name: String {
    switch self {
    case .repaired: "repaired"
    case .repairable: "repairable"
    case .unrepaired: "unrepaired"
    case .doubtful: "doubtful"
    case .lost: "lost"
    }
  }
}

extension ScrubFinding.Origin {
  fileprivate var name: String {
    switch self {
    case .parity: "parity"
    case .targets: "targets"
    case .source: "source"
    }
  }

  /// The words for it in a sentence.
  package var text: String {
    switch self {
    case .parity: "its parity"
    case .targets: "other targets"
    case .source(let frames, let directory):
      "pages of \(directory), which made \(Amount.count(UInt64(frames), "frame")) again"
    }
  }
}

/// `holdfast scrub` for people: the result of one target.
package struct ScrubText {
  /// The result for each source.
  package private(set) var lines: [String] = []
  /// The warnings: findings, targets that are behind, and failures.
  package private(set) var warnings: [String] = []
  /// The remaining facts, which have no effect on snapshots.
  package private(set) var notes: [String] = []
  /// The next things to do.
  package private(set) var hints: [String] = []

  package init(_ result: ScrubResult) {
    for finding in result.findings { add(finding, in: result.location) }
    for source in result.sources { add(source, of: result) }
    if result.hasOldKeyring {
      warnings.append("\(result.target) is behind: it has not the newest keyring")
      add(Self.syncHint)
    }
    if result.hasOldTargets {
      warnings.append("\(result.target) is behind: it has not the newest list of targets")
      add(Self.syncHint)
    }
    if result.hasOldNames {
      warnings.append("\(result.target) is behind: it has not the newest names of sources")
      add(Self.syncHint)
    }
    if let failure = result.failure {
      warnings.append("\(result.target) could not be scrubbed: \(failure.message)")
      add(failure.hint)
    }
    if let unnoted = result.unnoted {
      warnings.append("WARNING: what was found is not noted in the repository: \(unnoted.message)")
    }
  }

  private mutating func add(_ source: SourceScrub, of result: ScrubResult) {
    lines.append("\(result.target): \(source.source): \(Self.summary(source))")
    for finding in source.findings { add(finding, in: result.location) }
    if source.findings.contains(where: { $0.outcome == .lost }) {
      let newest = source.newestWhole.map {
        "The newest snapshot of \(source.source) that loses nothing is \($0.id.short), number \($0.sequence)."
      }
      add(
        "\(newest ?? "No snapshot of \(source.source) is whole.") Take a new full: `holdfast backup \(source.source) --full`."
      )
    }
    if let lag = Self.lag(source) {
      warnings.append("\(result.target) is behind: it has not \(lag) of \(source.source)")
      add(Self.syncHint)
    }
    if let failure = source.failure {
      warnings.append("\(result.target): \(source.source): \(failure.message)")
      add(failure.hint)
    }
    if let first = source.unknown.first {
      let objects = Amount.count(UInt64(source.unknown.count), "object")
      notes.append(
        "NOTE: \(result.target) has \(objects) of \(source.source) that no manifest knows, \(first) first: a run that was killed left it, or somebody put it there"
      )
    }
  }

  private static let syncHint = "Run `holdfast sync`: it copies what a target has not."

  private mutating func add(_ finding: ScrubFinding, in location: String) {
    let text = "\(finding.message) (in \(location))"
    let origin = finding.origin.map { ", from \($0.text)" } ?? ""
    switch finding.outcome {
    case .repaired: warnings.append("REPAIRED: \(text)\(origin)")
    case .repairable:
      warnings.append("REPAIRABLE: \(text)\(origin)")
      add(
        finding.origin == nil
          ? "Run `holdfast scrub --repair`: parity or other targets have what is lost."
          : "Run `holdfast scrub --repair` soon: only the source has what is lost, and it changes.")
    case .unrepaired(let reason):
      warnings.append("REPAIRABLE: \(text); it was not repaired: \(reason)")
      add("Parity or other targets have what is lost. Repair it where this host may remove: `holdfast scrub --repair`.")
    case .doubtful:
      warnings.append("DAMAGED: \(text); not all targets could be asked for it")
      add("Run the same command again when all targets can be reached.")
    case .lost: warnings.append("DAMAGED: \(text)")
    }
    if let obstacle = finding.obstacle { warnings.append("  the source cannot give it back: \(obstacle)") }
    for snapshot in finding.snapshots {
      warnings.append("  loses data: \(snapshot.id.short) (\(snapshot.sourceName), number \(snapshot.sequence))")
    }
  }

  private mutating func add(_ hint: String?) {
    if let hint, !hints.contains(hint) { hints.append(hint) }
  }

  /// Returns the result for a source in one line.
  package static func summary(_ source: SourceScrub) -> String {
    let repaired = source.findings.count { $0.outcome == .repaired }
    let standing = source.findings.count - repaired
    var parts: [String] = []
    if repaired > 0 { parts.append("\(repaired) repaired") }
    if standing > 0 { parts.append("\(standing) damaged") }
    if parts.isEmpty { parts.append(source.isSound ? "sound" : "not all of it was looked at or is there") }
    let proved = "\(Amount.bytes(source.provenBytes)) in \(Amount.count(source.provenObjects, "object")) proved"
    return parts.joined(separator: ", ") + "; " + proved
  }

  private static func lag(_ source: SourceScrub) -> String? {
    var parts: [String] = []
    let lag = source.behind
    if lag.snapshots > 0 { parts.append(Amount.count(UInt64(lag.snapshots), "snapshot")) }
    if lag.logs > 0 { parts.append(Amount.count(UInt64(lag.logs), "file") + " of log") }
    if lag.hasOldNotes { parts.append("the newest notes") }
    return parts.isEmpty ? nil : parts.joined(separator: " and ")
  }
}
