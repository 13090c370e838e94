/// Checks that the times of a source's snapshots fit the order of their numbers.
///
/// Numbers give the order in which snapshots were taken. Times come from a clock that may be wrong, or from a writer
/// that lies. When a higher number has an earlier time, one of the two is wrong, and nothing here tells which.
package enum TimeOrder {
  /// Tells for each time whether it contradicts another: an earlier number has a later time, or a later number an
  /// earlier one.
  /// - Parameter times: in the order of numbers.
  package static func contradictions(in times: [Timestamp]) -> [Bool] {
    var result = [Bool](repeating: false, count: times.count)
    var latest: Timestamp?
    for (index, time) in times.enumerated() {
      if let latest, time < latest { result[index] = true }
      latest = max(latest ?? time, time)
    }
    var earliest: Timestamp?
    for (index, time) in times.enumerated().reversed() {
      if let earliest, earliest < time { result[index] = true }
      earliest = min(earliest ?? time, time)
    }
    return result
  }
}
