/// Compares what a snapshot changed with what others of its source did. A value goes too far when it is large in itself, lies far outside what is usual (median and median
/// absolute deviation), and exceeds everything in the history: what happens every week is no anomaly.
package struct AnomalyCheck: Sendable {
  private struct Rule {
    let kind: Anomaly.Kind
    let measure: @Sendable (ChangeFigures) -> Double
    /// Less than this is never an anomaly.
    let least: Double
    /// From here on it is one even where there is no history to compare with.
    let leastAlone: Double
    /// What counts as spread where the history has less.
    let spreadLeast: Double
  }

  /// So many snapshots of the same kind are looked at, and with fewer than so many of them nothing is called usual.
  package static let historyMax = 60
  private static let historyMin = 5
  /// How many spreads beyond the median, and how much more than the most that there was.
  private static let spreadsMax = 6.0
  private static let mostFactor = 1.5
  /// So much of a source is worth a look whatever has been accepted before.
  private static let boundMax = 0.9
  /// Of small sources a few files are a large share.
  private static let removedMin: UInt64 = 10
  private static let lostBytesMin: UInt64 = 1 << 20
  /// Where nearly all is gone, less is enough: a dump of some kilobytes can be all that a source has.
  private static let lostBytesMinOfMost: UInt64 = 1 << 10
  private static let denseSamplesMin: UInt64 = 4
  /// By how much a full may be denser than those before it: of these there are few.
  private static let fullDenseGrowthMax = 0.3
  /// How far on the way from usual to incompressible the captured bytes must be.
  private static let storedShareGrowthMin = 0.1

  private static let deletion = Rule(
    kind: .massDeletion, measure: \.removedShare, least: 0.2, leastAlone: 0.5, spreadLeast: 0.01)
  private static let truncation = Rule(
    kind: .truncation, measure: \.shrunkShare, least: 0.2, leastAlone: 0.5, spreadLeast: 0.01)
  private static let encryption = Rule(
    kind: .encryption, measure: \.denseShare, least: 0.02, leastAlone: 0.5, spreadLeast: 0.003)

  private let history: [ChangeFigures]

  /// - Parameter history: of the same source, in any order.
  package init(history: [ChangeFigures]) { self.history = history }

  /// Whether the history has to be asked at all.
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
    // What was deleted has taken its bytes along.
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
    // All of a full is captured, so how dense it is says how dense the source is: only growth tells anything.
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
