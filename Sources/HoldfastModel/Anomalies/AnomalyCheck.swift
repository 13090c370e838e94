/// Compares what a snapshot changed with what earlier snapshots of the same source changed. A value is an anomaly when
/// it is large in itself, lies far from the usual (median and median absolute deviation), and exceeds everything in the
/// history. So a change that happens every week is no anomaly.
package struct AnomalyCheck: Sendable {
  private struct Rule {
    let kind: Anomaly.Kind
    let measure: @Sendable (ChangeFigures) -> Double
    /// A smaller value is never an anomaly.
    let least: Double
    /// A value from here on is an anomaly even without a history to compare it with.
    let leastAlone: Double
    /// The spread that is assumed when the history varies less.
    let spreadLeast: Double
  }

  /// The most snapshots of the same kind that are compared. With fewer than `historyMin` nothing counts as usual.
  package static let historyMax = 60
  private static let historyMin = 5
  /// An anomaly is at least this many spreads above the median, and `mostFactor` times the maximum of the history.
  private static let spreadsMax = 6.0
  private static let mostFactor = 1.5
  /// A share of the source from here on is always reported, whatever was accepted before.
  private static let boundMax = 0.9
  /// Minimum number of removed entries: in a small source a few files are a large share.
  private static let removedMin: UInt64 = 10
  private static let lostBytesMin: UInt64 = 1 << 20
  /// Minimum number of lost bytes when nearly everything is gone. It is small because a dump of some kilobytes can be
  /// all that a source contains.
  private static let lostBytesMinOfMost: UInt64 = 1 << 10
  private static let denseSamplesMin: UInt64 = 4
  /// The largest usual growth of density from one full to the next. There are too few fulls for statistics.
  private static let fullDenseGrowthMax = 0.3
  /// The captured bytes must have moved by this share of the way from usual to incompressible.
  private static let storedShareGrowthMin = 0.1

  private static let deletion = Rule(
    kind: .massDeletion, measure: \.removedShare, least: 0.2, leastAlone: 0.5, spreadLeast: 0.01)
  private static let truncation = Rule(
    kind: .truncation, measure: \.shrunkShare, least: 0.2, leastAlone: 0.5, spreadLeast: 0.01)
  private static let encryption = Rule(
    kind: .encryption, measure: \.denseShare, least: 0.02, leastAlone: 0.5, spreadLeast: 0.003)

  private let history: [ChangeFigures]

  /// - Parameter history: figures of snapshots of the same source, in any order.
  package init(history: [ChangeFigures]) { self.history = history }

  /// True if a value is large enough in itself that the history must be read.
  package static func isWorthwhile(_ figures: ChangeFigures) -> Bool {
    [deletion, truncation, encryption].contains { $0.measure(figures) >= $0.least }
      || (figures.kind == .full && figures.density >= fullDenseGrowthMax)
  }

  package func anomalies(in figures: ChangeFigures) -> [Anomaly] {
    let comparable = history.filter { $0.kind == figures.kind }
    var found: [Anomaly] = []
    if figures.removed >= Self.removedMin, let anomaly = Self.judge(figures, by: Self.deletion, comparable) {
      found.append(anomaly)
    }
    // Deleted files account for their bytes, so only the rest counts as shrunk.
    let lostMin = figures.shrunkShare >= Self.boundMax ? Self.lostBytesMinOfMost : Self.lostBytesMin
    if found.isEmpty, figures.bytesBefore >= figures.bytes &+ lostMin,
      let anomaly = Self.judge(figures, by: Self.truncation, comparable)
    {
      found.append(anomaly)
    }
    if figures.denseSamples >= Self.denseSamplesMin, let anomaly = Self.judgeDensity(figures, comparable) {
      found.append(anomaly)
    }
    return found
  }

  private static func judge(_ figures: ChangeFigures, by rule: Rule, _ history: [ChangeFigures]) -> Anomaly? {
    let value = rule.measure(figures)
    guard history.count >= historyMin, let usual = RobustStatistic(history.map(rule.measure)) else {
      return value >= rule.leastAlone ? anomaly(rule.kind, value, usual: nil) : nil
    }
    let farOutside = usual.median + spreadsMax * max(usual.spread, rule.spreadLeast)
    let bound = min(boundMax, max(rule.least, farOutside, mostFactor * usual.max))
    return value >= bound ? anomaly(rule.kind, value, usual: usual.max) : nil
  }

  private static func judgeDensity(_ figures: ChangeFigures, _ history: [ChangeFigures]) -> Anomaly? {
    // A full captures everything, so its density is that of the source: only growth means something.
    if figures.kind == .full {
      guard let most = history.map(\.density).max() else { return nil }
      let hasGrown = figures.density >= most + fullDenseGrowthMax
      return hasGrown ? anomaly(.encryption, figures.density, usual: most) : nil
    }
    if history.count >= historyMin, let stored = RobustStatistic(history.map(\.storedShare)),
      figures.storedShare < stored.median + storedShareGrowthMin * (1 - stored.median)
    {
      return nil
    }
    return judge(figures, by: encryption, history)
  }

  private static func anomaly(_ kind: Anomaly.Kind, _ share: Double, usual: Double?) -> Anomaly {
    Anomaly(kind: kind, share: Int((share * 1000).rounded()), usual: usual.map { Int(($0 * 1000).rounded()) })
  }
}
