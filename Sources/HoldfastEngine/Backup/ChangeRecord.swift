internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// What a backup writes down, in path order: the body of its manifest, the state root along the way, and what could not be captured.
final class ChangeRecord {
  private let body: BodyWriter
  private let archives: ArchiveSeries
  private(set) var summarizer = StateSummarizer()
  private(set) var problems: [Problem] = []
  var changes = Envelope.Changes()
  /// Why a file is torn, where it is not because it would not hold still.
  var tornReasons: [Path: String] = [:]

  init(body: BodyWriter, archives: ArchiveSeries) {
    self.body = body
    self.archives = archives
  }

  /// The archive for which the frame of the next job is to be made.
  func headForNextJob() throws -> ContainerHead { try archives.headForNextFrame() }

  /// Stores the pages that a job brought.
  /// - Returns: where the first of them lies; `nil` when there are none.
  func place(_ job: CaptureJob) throws -> PageLocation? {
    try place(job.buffer, job.frame, for: job.head)
  }

  /// - Parameters:
  ///   - pages: what is to be stored.
  ///   - frame: made of them for `head`, where they fill most of one.
  func place(_ pages: Buffer, _ frame: StoredFrame?, for head: ContainerHead?) throws -> PageLocation? {
    guard pages.count > 0 else { return nil }
    changes.pageBytes += UInt64(pages.count)
    if let frame, let head { return try archives.place(frame, for: head) }
    return try archives.gather(pages.used)
  }

  /// Counts the pages that are stored now.
  func count(_ runs: [PageRun]) {
    for run in runs where run.location != nil { changes.pages += run.count }
  }

  /// An entry that is as the parent has it.
  func keep(_ entry: Entry) {
    summarizer.add(entry)
  }

  /// - Parameter runs: of a file; all of them, or with `inherits` what differs from the parent.
  func put(_ entry: Entry, previous: Entry?, inherits: Bool, runs: (any PageMapReader)?) throws {
    summarizer.add(entry)
    if let file = entry.file, file.consistency == .torn {
      let reason = tornReasons[entry.path] ?? "it changed each time it was read; its pages may be of different moments"
      add(Problem(path: entry.path, reason: reason))
    }
    guard entry != previous else { return }
    if previous == nil { changes.added += 1 } else { changes.changed += 1 }
    try body.put(entry, inherits: inherits)
    guard var runs else { return }
    while let run = try runs.next() {
      try body.append(run)
    }
  }

  func remove(_ path: Path) throws {
    changes.removed += 1
    try body.remove(path)
  }

  func add(_ problem: Problem) {
    problems.append(problem)
  }

  /// The weakest class of the state, and how many paths were not captured whole.
  var completeness: (consistency: ConsistencyClass, incomplete: UInt64) {
    let named = Set(problems.map(\.path)).count
    let hasOtherProblems = UInt64(named) > summarizer.incomplete
    return (hasOtherProblems ? .unreadable : summarizer.consistency, max(UInt64(named), summarizer.incomplete))
  }

  /// Ends the archives, then the body.
  func finish() throws -> (archives: [Envelope.Archive], body: ObjectReference) {
    (try archives.finish(), try body.finish())
  }
}
