internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

extension ConfiguredSource {
  /// Proves a share of the source at the other targets, and repairs what is damaged there. Damage at home is left to
  /// the verify: home is repaired only when an operator scrubs it.
  /// - Parameters:
  ///   - first: the first part of the share, in units of 1/`VerifyRound.parts`.
  ///   - count: the number of these parts.
  /// - Returns: the worst status, and a summary in words; `nil` when there are no other targets.
  func scrubOthers(
    first: Int, count: Int, _ watch: RunWatch, _ progress: any ProgressObserver
  ) throws -> (status: ExitStatus, summary: String)? {
    let others = targets.others
    guard !others.isEmpty else { return nil }
    let began = host.clock.now()
    let round = ScrubRound(first: first, count: count, of: repository)
    var options = Scrub.Options()
    (options.share, options.begin, options.repairs) = (round.share, round.begin, true)
    (options.source, options.chosen) = (settings.name, Set(others.map(\.name)))
    let display = ScrubProgress(progress)
    let results = try targets.scrub((repository, targets.homeName), options, obstacles: runTargets.obstacles) {
      display.proved($0)
    }
    runTargets.note(results)
    round.remember(results, at: began) { progress.warn($0) }
    for result in results { tell(result, watch) }
    watch.parts = watch.parts.map { part in
      var part = part
      for found in RunRecord.parts(of: results, share: round.share, begin: round.begin)
      where found.source == part.source {
        part.findings += found.findings
      }
      return part
    }
    let damage = results.flatMap(\.allFindings).map(\.exitStatus)
    let proved = results.flatMap(\.sources).reduce(UInt64(0)) { $0.saturatingAdding($1.provenBytes) }
    let repaired = results.flatMap(\.allFindings).count { $0.outcome == .repaired }
    return (
      .worst(of: damage),
      "proved \(Amount.bytes(proved)) at \(results.map(\.target).joined(separator: ", "))"
        + (repaired > 0 ? ", repaired \(Amount.count(UInt64(repaired), "object"))" : "")
    )
  }

  private func tell(_ result: ScrubResult, _ watch: RunWatch) {
    let name = settings.name
    for finding in result.allFindings {
      let text = "\(finding.message) (in \(result.location))"
      switch finding.outcome {
      case .repaired:
        let origin = finding.origin.map { ", from \($0.text)" } ?? ""
        watch.tellAndRecord(Notice(.warning, "repaired: \(text)\(origin)", of: name), as: "repaired: \(text)\(origin)")
      case .repairable, .unrepaired, .doubtful, .lost: watch.tell(Notice(.damage, text, of: name))
      }
    }
    // A target that is away or behind was named when the snapshot was copied.
    for failure in ([result.failure] + result.sources.map(\.failure)).compactMap(\.self) {
      let text = "\(result.target) was not scrubbed: \(failure.message)"
      watch.tellAndRecord(Notice(.warning, text, of: name), as: text)
    }
    guard result.allFindings.contains(where: { $0.outcome != .repaired }) else { return }
    watch.tell(Notice(.hint, "Run `holdfast scrub --repair --name \(name)` to see all of it."))
  }
}
