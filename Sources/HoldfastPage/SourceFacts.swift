internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The figures of a source, each with its name, and with what it is to be.
struct SourceFacts {
  private struct Figure {
    let name: String
    let value: String
    var note = ""
    var isMissed = false
  }

  let html: HTML

  init(_ status: SourceStatus) {
    html = .element("dl", ["class": "facts"], .all(Self.figures(status).map(Self.tile)))
  }

  private static func tile(_ figure: Figure) -> HTML {
    .element(
      "div", ["class": figure.isMissed ? "missed" : "figure"], .element("dt", [:], figure.name),
      .element("dd", [:], figure.value),
      figure.note.isEmpty ? .all([]) : .element("dd", ["class": "note"], figure.note))
  }

  private static func figures(_ status: SourceStatus) -> [Figure] {
    [age(status), restore(status), drills(status), proved(status)] + stored(status)
  }

  private static func isMissed(_ status: SourceStatus, _ objectives: Objective...) -> Bool {
    status.missed.contains { objectives.contains($0.objective) }
  }

  private static func age(_ status: SourceStatus) -> Figure {
    let objective = status.objectives.maxAge.map { age in
      "objective \(Amount.age(age))" + (status.availability.map { ", met \(Amount.share($0)) of the time" } ?? "")
    }
    return Figure(
      name: "Newest complete snapshot", value: status.completeAge.map { "\(Amount.age($0)) ago" } ?? "unknown",
      note: objective ?? "no objective is set", isMissed: isMissed(status, .age))
  }

  private static func restore(_ status: SourceStatus) -> Figure {
    let drilled = status.drills.medianTime
    let duration = drilled ?? status.restoreDuration
    let basis =
      drilled != nil
      ? "median of drills"
      : status.speed.map { "from \(Amount.count(UInt64($0.runs), String($0.basis.rawValue.dropLast())))" }
        ?? "never measured"
    let objective = status.objectives.restoreWithin.map { ", objective \(Amount.age($0))" } ?? ""
    return Figure(
      name: "A restore takes", value: duration.map { "about \(Amount.duration($0))" } ?? "unknown",
      note: basis + objective, isMissed: isMissed(status, .restore))
  }

  private static func drills(_ status: SourceStatus) -> Figure {
    let drills = status.drills
    let bound = drills.failureRateBound.map { "at most \(Amount.share($0)) fail, with 95 % confidence" }
    let note =
      drills.count == 0
      ? "that it can be restored was never tried"
      : bound ?? "fewer than \(DrillStatus.boundMin) in a row tell little"
    return Figure(
      name: "Drills passed", value: drills.count == 0 ? "none made" : "\(drills.passed) of \(drills.count)", note: note,
      isMissed: isMissed(status, .drill) || (drills.count > 0 && drills.passedInRow == 0))
  }

  private static func proved(_ status: SourceStatus) -> Figure {
    Figure(
      name: "Proved", value: status.provedShare.map { Amount.share($0) } ?? "unknown",
      note: "of the stored bytes, within \(Amount.age(status.provedWindow))", isMissed: isMissed(status, .proof))
  }

  private static func stored(_ status: SourceStatus) -> [Figure] {
    let chain = status.newest?.chainLength.map { "the newest is in a chain of \($0)" } ?? "the newest chain is broken"
    let source = status.newest.map { "of a source of \(Amount.bytes($0.stateBytes))" } ?? ""
    return [
      Figure(
        name: "Snapshots to restore", value: "\(status.restorable) of \(status.snapshots)", note: chain,
        isMissed: isMissed(status, .chain) || status.restorable < status.snapshots),
      Figure(name: "Stored", value: Amount.bytes(status.storedBytes), note: source),
    ]
  }
}
