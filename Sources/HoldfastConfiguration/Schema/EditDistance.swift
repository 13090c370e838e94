/// The number of typing mistakes between two words: missing, additional and wrong letters, and exchanged neighbours.
package enum EditDistance {
  static func between(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8), Array(right.utf8))
    var older: [Int] = []
    var previous = Array(0...right.count)
    for (row, byte) in left.enumerated() {
      var current = [row + 1]
      for (column, other) in right.enumerated() {
        var cost = min(previous[column + 1] + 1, current[column] + 1, previous[column] + (byte == other ? 0 : 1))
        if row > 0, column > 0, byte == right[column - 1], left[row - 1] == other {
          cost = min(cost, older[column - 1] + 1)
        }
        current.append(cost)
      }
      (older, previous) = (previous, current)
    }
    return previous[right.count]
  }

  /// Returns the nearest of several words; `nil` when none is near.
  package static func nearest(to word: String, in words: some Sequence<String>) -> String? {
    // A text that is longer than any key is no mistyped key.
    guard word.utf8.count <= 64 else { return nil }
    let measured = words.map { (word: $0, distance: between(word.lowercased(), $0)) }
    guard let best = measured.min(by: { ($0.distance, $0.word) < ($1.distance, $1.word) }) else { return nil }
    return best.distance <= max(2, word.utf8.count / 3) ? best.word : nil
  }
}
