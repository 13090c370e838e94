internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The age of the newest complete snapshot over time, beside its objective: what a shop would have lost at each moment.
struct AgeChart {
  /// A drawing with more points looks no different.
  private static let pointsMax = 1200
  let source: ReportFacts.Source
  let axis: TimeAxis

  /// - Returns: nothing if no complete snapshot was made before the end of the axis.
  var html: HTML {
    let points = ages
    guard let greatest = points.map(\.age).max() else { return .all([]) }
    let objective = source.status.objectives.maxAge?.seconds
    let top = max(greatest, objective ?? 0) * 1.1
    var lines = [
      Chart.line(points.map { (axis.x($0.time), Chart.y($0.age, of: top)) }, class: "line")
    ]
    if let objective {
      let y = Chart.y(objective, of: top)
      lines.append(Chart.line([(0, y), (TimeAxis.width, y)], class: "objective"))
    }
    return Chart(
      title: "Age of the newest complete snapshot", summary: summary(greatest, objective),
      top: Amount.age(.seconds(top)), axis: axis, drawing: .all(lines)
    ).html
  }

  private func summary(_ greatest: Double, _ objective: Double?) -> String {
    let since = begin > axis.begin ? "Since \(TimeAxis.minute(begin)), where the journal begins, it" : "It"
    let worst = "\(since) was at most \(Amount.age(.seconds(greatest)))"
    guard let objective else { return worst + "; no objective is set." }
    return worst + "; the objective, the dashed line, is \(Amount.age(.seconds(objective)))."
  }

  /// The corners of the line. The age grows until a snapshot is committed, and falls to the time that this one took.
  private var ages: [(time: Timestamp, age: Double)] {
    let complete = StoredSnapshot.all(of: source).filter { $0.isComplete && $0.finished <= axis.end }.sorted {
      $0.finished < $1.finished
    }
    let begin = begin
    var corners: [(time: Timestamp, age: Double)] = []
    var newest = complete.last { $0.finished < begin }?.started
    if let newest { corners.append((begin, (begin - newest).seconds)) }
    for snapshot in complete where begin <= snapshot.finished {
      if let newest { corners.append((snapshot.finished, (snapshot.finished - newest).seconds)) }
      // A merged snapshot stands for an older state.
      newest = max(newest ?? snapshot.started, snapshot.started)
      corners.append((snapshot.finished, (snapshot.finished - (newest ?? snapshot.started)).seconds))
    }
    if let newest { corners.append((axis.end, (axis.end - newest).seconds)) }
    return thinned(corners)
  }

  /// The time from which on every snapshot is known: the beginning of the journal, because a prune has thinned what is
  /// older.
  private var begin: Timestamp {
    let journal = source.runs.lazy.map(\.began).first { $0 <= axis.end }
    return max(axis.begin, journal ?? axis.begin)
  }

  /// Keeps the greatest and the last age of each step of time.
  private func thinned(_ corners: [(time: Timestamp, age: Double)]) -> [(time: Timestamp, age: Double)] {
    guard corners.count > Self.pointsMax else { return corners }
    let steps = Self.pointsMax / 2
    let grouped = Dictionary(grouping: corners) { Int(axis.x($0.time) / TimeAxis.width * Double(steps)) }
    return grouped.sorted { $0.key < $1.key }.flatMap { _, its in
      [its.max { $0.age < $1.age }, its.last].compactMap(\.self)
    }
  }
}
