internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel

/// A map of the days that the charts show: how much of the stored bytes was proved on each.
struct DayMap {
  private static let daysMax = 371
  let source: ReportFacts.Source
  let axis: TimeAxis

  private struct Proofs {
    var reads: [ReadShare] = []
    var hasFailed = false

    var share: Double { ReadShare.union(of: reads) }
  }

  var html: HTML {
    let proofs = proofs
    let days = CalendarDay.days(from: axis.begin, to: axis.end, max: Self.daysMax).map { day in
      let (name, text) = Self.words(proofs[day.date] ?? Proofs())
      return (day: day, class: name, text: text)
    }
    let proved = days.count { $0.class != "p0" && $0.class != "bad" }
    let failed = days.count { $0.class == "bad" }
    let summary =
      "Something was proved on \(proved) of \(Amount.count(UInt64(days.count), "day")), and a verify or a drill failed on \(failed)."
    return .element(
      "figure", [:], .element("figcaption", [:], "Proved by day"),
      WeekGrid(days: days, label: "Proved by day: \(summary)").html,
      Legend(
        [("p0", "nothing"), ("p1", "a part"), ("p2", "half"), ("p4", "all that is stored"), ("bad", "failed")]
      ).html, .element("p", ["class": "note"], summary))
  }

  /// By the local date.
  private var proofs: [String: Proofs] {
    var days: [String: Proofs] = [:]
    for run in source.runs where axis.contains(run.ended) && [.verify, .drill].contains(run.command) {
      let isFine = [ExitStatus.done, .incomplete, .objectiveMissed].contains { $0.rawValue == run.status }
      var day = days[TimeAxis.day(run.ended)] ?? Proofs()
      if isFine { day.reads.append(ReadShare(run)) } else { day.hasFailed = true }
      days[TimeAxis.day(run.ended)] = day
    }
    return days
  }

  private static func words(_ proofs: Proofs) -> (class: String, text: String) {
    if proofs.hasFailed { return ("bad", "failed") }
    guard proofs.share > 0 else { return ("p0", "nothing proved") }
    return ("p\(min(4, 1 + Int(saturating: proofs.share * 3.999)))", "\(Amount.share(proofs.share)) proved")
  }
}

/// The meaning of the colours of a drawing.
struct Legend {
  let html: HTML

  /// - Parameter entries: the class of each colour, and what it means.
  init(_ entries: [(class: String, text: String)]) {
    html = .element(
      "ul", ["class": "legend"],
      .all(
        entries.map { entry in
          .element("li", [:], .element("span", ["class": "swatch \(entry.class)"]), .text(entry.text))
        }))
  }
}
