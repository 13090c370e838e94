internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastSystem

/// The days of which snapshots are kept, and the rules that keep them: a calendar for each year, and a table.
struct KeptCalendar {
  private static let yearsMax = 10
  private static let rowsMax = 100

  private let kept: KeptSnapshots
  private let lines: [KeptSnapshots.Line]
  private let now: Timestamp

  init(_ source: ReportFacts.Source, now: Timestamp) {
    (kept, self.now) = (source.kept, now)
    lines = source.kept.lines.filter(source.kept.isKept).sorted {
      $0.snapshot.envelope.started < $1.snapshot.envelope.started
    }
  }

  var html: HTML {
    guard let first = lines.first?.snapshot.envelope.started else { return .all([]) }
    let best = Dictionary(grouping: lines) { TimeAxis.day($0.snapshot.envelope.started) }
    let days = CalendarDay.days(from: min(first, now), to: now, max: Self.yearsMax * 366)
    let years = Dictionary(grouping: days, by: \.year).sorted { $1.key < $0.key }.map { year, days in
      self.year(year, days, best)
    }
    return .all([
      .element(
        "figure", [:], .element("figcaption", [:], "Days of which a snapshot is kept"), .all(years), legend,
        .element("p", ["class": "note"], rules)),
      table,
    ])
  }

  /// A sentence about the rules, and what the next prune removes.
  private var rules: String {
    let count = Amount.count(UInt64(lines.count), "snapshot")
    let removed = Amount.count(UInt64(kept.removed), "removed snapshot")
    let waiting = kept.removed > 0 ? " \(removed) can still be called back." : ""
    guard let policy = kept.policy else { return "No rule says what to keep, so all \(count) stay.\(waiting)" }
    let going = kept.lines.count - lines.count
    let next = going > 0 ? "; the next prune removes \(Amount.count(UInt64(going), "snapshot"))" : ""
    return "The rules are \(RetentionText(policy).text). They keep \(count)\(next).\(waiting)"
  }

  private func year(_ year: Int, _ days: [CalendarDay], _ kept: [String: [KeptSnapshots.Line]]) -> HTML {
    let squares = days.map { day -> (day: CalendarDay, class: String, text: String) in
      guard let its = kept[day.date], let rule = its.map(Rule.init(strongest:)).min() else {
        return (day, "p0", "no snapshot is kept")
      }
      let words = Set(its.map(Rule.init(strongest:))).sorted().map(\.text).joined(separator: ", ")
      return (day, rule.className, "\(Amount.count(UInt64(its.count), "snapshot")): \(words)")
    }
    let count = squares.count { $0.class != "p0" }
    return .element(
      "div", ["class": "year"], .element("p", ["class": "label"], String(year)),
      WeekGrid(
        days: squares,
        label: "\(year): snapshots of \(count) of \(Amount.count(UInt64(days.count), "day")) are kept"
      ).html)
  }

  private var legend: HTML {
    let counts = Dictionary(grouping: lines, by: Rule.init(strongest:)).mapValues(\.count)
    return Legend(
      counts.sorted { $0.key < $1.key }.map { rule, count in (rule.className, "\(rule.text): \(count)") }
    ).html
  }

  private var table: HTML {
    let shown = lines.suffix(Self.rowsMax).reversed()
    let rows = shown.map { line in
      let envelope = line.snapshot.envelope
      return [
        String(TimeText.local(envelope.started).prefix(16)), envelope.kind.rawValue, line.snapshot.id.short,
        Amount.bytes(envelope.storedBytes), Self.why(line, hasRules: kept.policy != nil),
      ]
    }
    let older = lines.count - shown.count
    return .element(
      "details", [:], .element("summary", [:], "Each snapshot that is kept, and why"),
      RunTables.table("Kept snapshots", ["Time", "Kind", "Snapshot", "Stored", "Kept because"], rows),
      older > 0
        ? .element(
          "p", ["class": "note"],
          "\(Amount.count(UInt64(older), "older snapshot")) \(older == 1 ? "is" : "are") in `holdfast prune --dry-run`."
        )
        : .all([]))
  }

  private static func why(_ line: KeptSnapshots.Line, hasRules: Bool) -> String {
    guard !line.reasons.isEmpty else { return "no rule removes it" }
    return line.reasons.map(\.description).joined(separator: "; ")
  }

  /// The kinds of reasons, the one that keeps a snapshot longest first.
  private enum Rule: Int, Comparable {
    case marked, yearly, monthly, weekly, daily, hourly, recent, always, needed, unruled

    static func < (left: Rule, right: Rule) -> Bool { left.rawValue < right.rawValue }

    init(strongest line: KeptSnapshots.Line) { self = line.reasons.map(Rule.init).min() ?? .unruled }

    init(_ reason: RetentionReason) {
      self =
        switch reason {
        case .pinned, .tagged: .marked
        case .newestOf(.year, _): .yearly
        case .newestOf(.month, _): .monthly
        case .newestOf(.week, _): .weekly
        case .newestOf(.day, _): .daily
        case .newestOf(.hour, _): .hourly
        case .last, .within: .recent
        case .newest, .lastMade, .newestComplete, .provedFull, .ahead, .diverged, .undecided, .calledBack, .cameBack,
          .heldBack:
          .always
        case .neededBy: .needed
        }
    }

    var text: String {
      switch self {
      case .marked: "pinned or tagged"
      case .yearly: "yearly"
      case .monthly: "monthly"
      case .weekly: "weekly"
      case .daily: "daily"
      case .hourly: "hourly"
      case .recent: "recent"
      case .always: "always kept"
      case .needed: "others build on it"
      case .unruled: "no rule removes it"
      }
    }

    var className: String { "k\(rawValue)" }
  }
}
