internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

struct WALStatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show what is archived of each log, its gaps, and how far recovery can reach.",
    discussion: ExitStatusTable.text)

  @OptionGroup var place: RepositoryOptions
  @OptionGroup var identity: IdentityOptions
  @Option(name: .long, help: ArgumentHelp("Only the log of this source.", valueName: "name"))
  var name: SourceName?
  @OptionGroup var output: OutputOptions

  func run() throws {
    let host = Environment.makeHost()
    let repository = try place.open(host, credentials: identity.credentials(host, asks: false), of: name)
    var damage: [DamageError] = []
    let logs = try WALStatus(repository) { damage.append($0) }.run(name)
    if output.json {
      try Console.json(logs.map { LogJSON($0) })
    } else if logs.isEmpty {
      Console.output("no write-ahead log is archived in \(repository.location)")
    } else {
      logs.flatMap { Self.lines(of: $0) }.forEach(Console.output)
    }
    for finding in damage { Console.error("holdfast: \(finding.message)") }
    if !damage.isEmpty {
      Console.error("HINT: Run `holdfast verify --data` to see everything that is damaged.")
      throw Outcome(status: .dataLoss)
    }
  }

  private static func lines(of log: WALStatus.Log) -> [String] {
    var lines = ["\(log.source), cluster \(log.system)"]
    for timeline in log.timelines {
      var line =
        "  timeline \(timeline.timeline)  \(timeline.first) to \(timeline.last)  \(Amount.count(timeline.count, "segment"))  \(Amount.bytes(timeline.storedBytes)) stored"
      if let last = timeline.lastTransaction { line += "  last transaction \(exact(last))" }
      lines.append(line)
      lines += timeline.gaps.map { gap in
        gap.count == 1
          ? "    GAP: \(gap.first) is missing"
          : "    GAP: \(gap.count) segments are missing, \(gap.first) to \(gap.last)"
      }
    }
    if log.isClosed {
      lines.append(
        "  sealed, and no identity was named: times, and how far recovery can reach, are not known")
    } else {
      lines += log.snapshots.map { line(of: $0) }
    }
    return lines
  }

  private static func line(of reach: WALStatus.Reach) -> String {
    let envelope = reach.snapshot.envelope
    let start = "  snapshot \(envelope.snapshot.short)  taken \(TimeText.local(envelope.started))  "
    guard let end = reach.end, let timeline = reach.timeline else {
      return start
        + (reach.brokenAt.map { "the log that it needs cannot be followed beyond \($0)" }
          ?? "the log that it needs is not archived")
    }
    var line = start + "recovery reaches \(end) on timeline \(timeline)"
    if let last = reach.lastTransaction { line += ", \(exact(last))" }
    if let missing = reach.missing { line += ", and ends there: \(missing) is missing" }
    if let minimal = reach.minimalFrom {
      line += ", and ends there: from \(minimal) on the log was written with wal_level = minimal"
    }
    if let broken = reach.brokenAt { line += ", and ends there: beyond \(broken) the log cannot be followed" }
    return line
  }

  private static func exact(_ microseconds: Int64) -> String { TimeText.exact(Timestamp(microseconds: microseconds)) }
}

private struct LogJSON: Encodable {
  struct Gap: Encodable {
    let first: String
    let last: String
    let segments: UInt64
  }

  struct Timeline: Encodable {
    let timeline: UInt32
    let first: String
    let last: String
    let segments: UInt64
    let storedBytes: UInt64
    let gaps: [Gap]
    let lastTransaction: String?
  }

  struct Reach: Encodable {
    let snapshot: String
    let time: String
    let timeline: UInt32?
    let end: LogSequenceNumber?
    let lastTransaction: String?
    /// Where the log has a gap behind that: what is missing.
    let missing: String?
    /// Where a part of the log begins that no server replays.
    let minimalFrom: LogSequenceNumber?
    /// Where its records cannot be followed any more, though more is archived.
    let brokenAt: LogSequenceNumber?
  }

  let source: String
  let system: String
  /// Whether it is sealed and no identity was named: then times and reaches are not known.
  let closed: Bool
  let timelines: [Timeline]
  let otherFiles: UInt64
  let snapshots: [Reach]

  init(_ log: WALStatus.Log) {
    source = log.source.text
    system = log.system.description
    closed = log.isClosed
    otherFiles = log.otherFiles
    timelines = log.timelines.map { timeline in
      Timeline(
        timeline: timeline.timeline, first: timeline.first.text, last: timeline.last.text, segments: timeline.count,
        storedBytes: timeline.storedBytes,
        gaps: timeline.gaps.map { Gap(first: $0.first.text, last: $0.last.text, segments: $0.count) },
        lastTransaction: Self.exact(timeline.lastTransaction))
    }
    snapshots = log.snapshots.map { reach in
      Reach(
        snapshot: reach.snapshot.id.description, time: reach.snapshot.envelope.time.started, timeline: reach.timeline,
        end: reach.end, lastTransaction: Self.exact(reach.lastTransaction), missing: reach.missing?.text,
        minimalFrom: reach.minimalFrom, brokenAt: reach.brokenAt)
    }
  }

  private static func exact(_ microseconds: Int64?) -> String? {
    microseconds.map { TimeText.exact(Timestamp(microseconds: $0)) }
  }
}
