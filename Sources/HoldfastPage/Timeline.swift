internal import HoldfastArchive
internal import HoldfastModel

/// A bar for each snapshot, as high as what it stored, with flags at unusual events; below, a sentence for each flag.
struct Timeline {
  /// A drawing with more bars looks no different.
  private static let barsMax = 500
  private static let eventsMax = 12
  /// Flags that are nearer to each other than this share of the width stand together.
  private static let flagShare = 0.09
  let source: ReportFacts.Source
  let axis: TimeAxis
  let events: [UnusualEvent]

  private var shown: ArraySlice<UnusualEvent> { events.suffix(Self.eventsMax) }

  var html: HTML {
    let bars = bars
    guard !bars.isEmpty || !events.isEmpty else { return .all([]) }
    let greatest = bars.map(\.bytes).max() ?? 0
    let least = bars.map(\.bytes).min() ?? 0
    let drawing = HTML.all(bars.map { bar($0, least: least, greatest: greatest) } + lines)
    let count = events.isEmpty ? "Nothing was unusual" : Amount.count(UInt64(events.count), "unusual event")
    let range = "\(Amount.bytes(UInt64(saturating: least))) to \(Amount.bytes(UInt64(saturating: greatest)))"
    let summary =
      bars.isEmpty ? "No snapshot of this time is known. \(count)." : "\(range), on a logarithmic scale. \(count)."
    let chart = Chart(
      title: "Stored by each snapshot", summary: summary,
      top: Amount.bytes(UInt64(saturating: greatest)), axis: axis, drawing: drawing, flags: flags
    ).html
    let legend = [
      ("line", "differential or incremental"), ("full", "full"), ("gone", "removed since"), ("bad", "incomplete"),
    ].filter { entry in bars.contains { ($0.class + " line").contains(entry.0) } }
    return .all([chart, Legend(legend.map { ("bar-\($0.0)", $0.1) }).html, list])
  }

  // MARK: Bars

  private typealias Bar = (time: Timestamp, bytes: Double, class: String)

  private var bars: [Bar] {
    let all = StoredSnapshot.all(of: source).filter { axis.contains($0.started) && $0.bytes > 0 }.map { one -> Bar in
      let name = !one.isComplete ? " bad" : !one.isThere ? " gone" : one.kind == .full ? " full" : ""
      return (one.started, Double(one.bytes), "bar" + name)
    }
    guard all.count > Self.barsMax else { return all }
    let steps = Dictionary(grouping: all) { Int(axis.x($0.time) / TimeAxis.width * Double(Self.barsMax)) }
    return steps.sorted { $0.key < $1.key }.compactMap { $0.value.max { $0.bytes < $1.bytes } }
  }

  private func bar(_ bar: Bar, least: Double, greatest: Double) -> HTML {
    let span = UnusualSnapshots.doublings(greatest) - UnusualSnapshots.doublings(least)
    let above = UnusualSnapshots.doublings(bar.bytes) - UnusualSnapshots.doublings(least)
    let height = Chart.height * (0.12 + 0.83 * (span > 0 ? above / span : 1))
    return .element(
      "rect",
      [
        "class": bar.class, "x": TimeAxis.number(min(TimeAxis.width - 3, max(0, axis.x(bar.time) - 1.5))), "width": "3",
        "y": TimeAxis.number(Chart.height - height), "height": TimeAxis.number(height),
      ])
  }

  // MARK: Flags

  private var lines: [HTML] {
    shown.map { event in
      let x = axis.x(event.time)
      return Chart.line([(x, 0), (x, Chart.height)], class: "mark")
    }
  }

  /// Events that stand together: their places as shares of the width, and their numbers.
  private typealias Group = (from: Double, to: Double, first: Int, last: Int)

  private var groups: [Group] {
    var groups: [Group] = []
    for (index, event) in shown.enumerated() {
      let share = axis.x(event.time) / TimeAxis.width
      if let last = groups.last, share - last.from < Self.flagShare {
        (groups[groups.count - 1].to, groups[groups.count - 1].last) = (share, index + 1)
      } else {
        groups.append((share, share, index + 1, index + 1))
      }
    }
    return groups
  }

  private var flags: HTML {
    guard !events.isEmpty else { return .all([]) }
    return .element(
      "div", ["class": "flags", "aria-hidden": "true"],
      .all(
        groups.map { group in
          let place = max(4, min(96, (group.from + group.to) * 50))
          return .element(
            "span", ["style": "left: \(TimeAxis.number(place))%"],
            group.first == group.last ? "\(group.first)" : "\(group.first)–\(group.last)")
        }))
  }

  private var list: HTML {
    guard !events.isEmpty else { return .all([]) }
    let items = shown.map { event in
      HTML.element(
        "li", [:], .element("time", [:], String(TimeAxis.minute(event.time))), .text(" " + event.text))
    }
    let older = events.count - shown.count
    return .all([
      .element("ol", ["class": "events"], .all(items)),
      older > 0
        ? .element(
          "p", ["class": "note"], "\(Amount.count(UInt64(older), "earlier event")) in the JSON of this report.")
        : .all([]),
    ])
  }
}
