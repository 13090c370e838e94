internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The figures of a source, each with its name.
struct SourceFacts {
  let html: HTML

  init(_ status: SourceStatus) {
    html = .element(
      "dl", ["class": "facts"],
      .all(
        Self.figures(status).map { name, value in
          .element("div", [:], .element("dt", [:], name), .element("dd", [:], value))
        }))
  }

  private static func figures(_ status: SourceStatus) -> [(name: String, value: String)] {
    let unknown = "unknown"
    let age = status.completeAge.map { "\(Amount.age($0)) ago" } ?? unknown
    let duration = status.restoreDuration.map { "about \(Amount.duration($0))" } ?? unknown
    let chain = status.newest?.chainLength.map { Amount.count(UInt64($0), "snapshot") } ?? unknown
    let proved = status.provedShare.map { "\(Amount.share($0)) within \(Amount.age(status.provedWindow))" } ?? unknown
    let runs = status.failureRate.map { "\(Amount.share($0)) of \(status.runs)" } ?? unknown
    var figures = [
      (name: "Newest complete snapshot", value: age), ("A restore takes", duration),
      ("Snapshots that can be restored", "\(status.restorable) of \(status.snapshots)"), ("Chain of the newest", chain),
      ("Stored", Amount.bytes(status.storedBytes)), ("Proved", proved), ("Runs that failed", runs),
    ]
    let drills = status.drills
    figures.append(("Drills passed", drills.count == 0 ? "never drilled" : "\(drills.passed) of \(drills.count)"))
    if let median = drills.medianTime { figures.append(("RTO, median of drills", Amount.duration(median))) }
    if let availability = status.availability { figures.append(("Objective of age met", Amount.share(availability))) }
    return figures
  }
}
