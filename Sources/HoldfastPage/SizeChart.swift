internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The stored bytes of the snapshots that are there, by the time at which they were stored.
struct SizeChart {
  let source: ReportFacts.Source
  let axis: TimeAxis

  var html: HTML {
    let made = source.snapshots.map { snapshot in
      (
        time: snapshot.envelope.merged?.time.moment ?? snapshot.envelope.time.finished.moment,
        bytes: Double(snapshot.envelope.storedBytes)
      )
    }.sorted { $0.time < $1.time }
    let total = made.reduce(0) { $0 + $1.bytes }
    guard total > 0 else { return .all([]) }
    var bytes = made.prefix { $0.time < axis.begin }.reduce(0) { $0 + $1.bytes }
    var corners = [(x: 0.0, y: Chart.y(bytes, of: total * 1.1))]
    for step in made where axis.contains(step.time) {
      let x = axis.x(step.time)
      corners.append((x, Chart.y(bytes, of: total * 1.1)))
      bytes += step.bytes
      corners.append((x, Chart.y(bytes, of: total * 1.1)))
    }
    corners.append((TimeAxis.width, Chart.y(bytes, of: total * 1.1)))
    return Chart(
      title: "Stored bytes", summary: summary(total), top: Amount.bytes(UInt64(saturating: total * 1.1)), axis: axis,
      drawing: Chart.line(corners, class: "line")
    ).html
  }

  private func summary(_ total: Double) -> String {
    let growth = source.status.growthPerDay.map { "\(Amount.bytes(UInt64(saturating: $0))) a day" } ?? "unknown"
    return "\(Amount.bytes(UInt64(saturating: total))) now; growth: \(growth)."
  }
}
