internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// Writes a complete state as the body of a full, its stored runs at their new places.
struct MergedBody {
  let body: BodyWriter
  let cancellation: Cancellation
  /// Thrown when a run has no new place.
  let lost: EngineError

  func write(_ state: StateFile, at places: NewPlaces) throws {
    let entries = state.makeReader()
    var places = try places.makeReader()
    var ordinal: UInt64 = 0
    while let entry = try entries.nextEntry() {
      try cancellation.check()
      try body.put(entry, inherits: false)
      guard let file = entry.file else { continue }
      var runs = entries.runs()
      var joined = JoinedRuns(pageSize: UInt64(file.pageSize))
      while var run = try runs.next() {
        if run.location != nil {
          guard let place = try places.next(), place.ordinal == ordinal, place.check == StoredRun.check(run.digests)
          else { throw lost }
          run.location = place.location
          ordinal += 1
        }
        if let whole = joined.add(run) { try body.append(whole) }
      }
      if let last = joined.waiting { try body.append(last) }
    }
    guard try places.next() == nil else { throw lost }
  }
}

/// Makes one run of runs that follow one another in the file and where they are stored.
private struct JoinedRuns {
  let pageSize: UInt64
  private(set) var waiting: PageRun?

  init(pageSize: UInt64) {
    self.pageSize = pageSize
  }

  /// - Returns: a run to which nothing more can be joined.
  mutating func add(_ run: PageRun) -> PageRun? {
    guard var whole = waiting, follows(run, whole) else {
      defer { waiting = run }
      return waiting
    }
    // Given up for as long as the digests grow: else they would be copied each time.
    waiting = nil
    whole.count += run.count
    whole.digests += run.digests
    waiting = whole
    return nil
  }

  private func follows(_ run: PageRun, _ whole: PageRun) -> Bool {
    guard run.first == whole.end else { return false }
    guard let place = run.location, let start = whole.location else {
      return run.location == nil && whole.location == nil
    }
    return place.archive == start.archive && place.frame == start.frame
      && UInt64(place.offset) == UInt64(start.offset) + whole.count * pageSize
  }
}
