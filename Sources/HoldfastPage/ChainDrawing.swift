internal import HoldfastArchive
internal import HoldfastModel

/// The chains of a source, one a row: a tall bar for the full, lower ones for what builds on it.
struct ChainDrawing {
  private static let rowsMax = 12
  private static let height = 24.0
  let source: ReportFacts.Source
  let axis: TimeAxis

  var html: HTML {
    let all = chains
    let chains = all.filter { $0.contains { axis.contains($0.envelope.started) } }
    guard !chains.isEmpty else { return .all([]) }
    let rows = chains.suffix(Self.rowsMax).reversed().map(row)
    let older = all.count - min(Self.rowsMax, chains.count)
    let note =
      "A chain is a full, the tall bar, and the differentials and incrementals that build on it. A restore reads the part of one chain up to its snapshot."
      + (older > 0 ? " \(Amount.count(UInt64(older), "older chain")) \(older == 1 ? "is" : "are") not shown." : "")
    return .element(
      "figure", [:], .element("figcaption", [:], "Chains"),
      .element("div", ["class": "chains"], .all(rows)), axis.labels, .element("p", ["class": "note"], note))
  }

  /// The snapshots of each chain, the oldest chain first.
  private var chains: [[Snapshot]] {
    var roots: [Identifier: Identifier] = [:]
    var chains: [Identifier: [Snapshot]] = [:]
    for snapshot in source.snapshots {
      let root = snapshot.envelope.parent.flatMap { roots[$0.snapshot] } ?? snapshot.id
      roots[snapshot.id] = root
      chains[root, default: []].append(snapshot)
    }
    return chains.values.sorted { ($0.first?.sequence ?? 0) < ($1.first?.sequence ?? 0) }
  }

  private func row(_ chain: [Snapshot]) -> HTML {
    let stored = chain.reduce(UInt64(0)) { $0.saturatingAdding($1.envelope.storedBytes) }
    let name = chain.first.map { "\($0.envelope.kind.rawValue) \($0.id.short)" } ?? ""
    let label = "\(name): \(Amount.count(UInt64(chain.count), "snapshot")), \(Amount.bytes(stored))"
    let bars = chain.filter { axis.contains($0.envelope.started) }.map { snapshot in
      let share: Double =
        switch snapshot.envelope.kind {
        case .full: 1
        case .differential: 0.7
        case .incremental: 0.45
        }
      return HTML.element(
        "rect",
        [
          "class": snapshot.envelope.incomplete == 0 ? "bar" : "bar bad",
          "x": TimeAxis.number(max(0, axis.x(snapshot.envelope.started) - 1.5)), "width": "3",
          "y": TimeAxis.number(Self.height * (1 - share)), "height": TimeAxis.number(Self.height * share),
        ])
    }
    return .all([
      .element("p", ["class": "label"], label),
      .element(
        "svg",
        [
          "viewBox": "0 0 \(TimeAxis.number(TimeAxis.width)) \(TimeAxis.number(Self.height))",
          "preserveAspectRatio": "none", "role": "img", "aria-label": label, "class": "chain",
        ], .all(bars)),
    ])
  }
}
