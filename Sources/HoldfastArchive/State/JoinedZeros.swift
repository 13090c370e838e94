internal import HoldfastModel

/// A map in which runs of zero pages that follow one another are one: a state, and a body that is written, has no more of them than it needs.
struct JoinedZeros: PageMapReader {
  private var map: any PageMapReader
  /// What was read ahead.
  private var following: PageRun?

  init(_ map: any PageMapReader) {
    self.map = map
  }

  mutating func next() throws -> PageRun? {
    guard var run = try following ?? map.next() else { return nil }
    following = nil
    guard run.location == nil else { return run }
    while let more = try map.next() {
      guard more.location == nil, more.first == run.end else {
        following = more
        return run
      }
      run.count += more.count
    }
    return run
  }
}
