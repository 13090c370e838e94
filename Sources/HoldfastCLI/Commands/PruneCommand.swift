internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastReport
internal import HoldfastSystem

extension Tag: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }
}

extension TimeSpan {
  /// Of an option. What is none is told with what may be written.
  static func argument(_ text: String) throws -> TimeSpan {
    guard let span = TimeSpan(text) else { throw ValidationError(allowed) }
    return span
  }
}

/// Which snapshots to keep.
struct RetentionOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Keep so many of the newest.", valueName: "n"))
  var keepLast: Int?

  @Option(help: ArgumentHelp("Keep the newest of each of the last so many hours that have one.", valueName: "n"))
  var keepHourly: Int?

  @Option(help: ArgumentHelp("The same by days, in local time.", valueName: "n"))
  var keepDaily: Int?

  @Option(help: ArgumentHelp("The same by weeks, which begin on Monday.", valueName: "n"))
  var keepWeekly: Int?

  @Option(help: ArgumentHelp("The same by months.", valueName: "n"))
  var keepMonthly: Int?

  @Option(help: ArgumentHelp("The same by years.", valueName: "n"))
  var keepYearly: Int?

  @Option(
    help: ArgumentHelp(
      "Keep what is at most so much older than the newest of its source: 36h, 30d, 8w, 6mo, 2y.", valueName: "time"),
    transform: TimeSpan.argument)
  var keepWithin: TimeSpan?

  @Option(help: ArgumentHelp("Keep what bears this tag. May be repeated.", valueName: "tag"))
  var keepTag: [Tag] = []

  func validate() throws {
    let counts = [keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly]
    guard counts.allSatisfy({ $0.map { $0 >= 0 } ?? true }) else {
      throw ValidationError("A number of snapshots to keep is not negative.")
    }
  }

  var policy: RetentionPolicy {
    var policy = RetentionPolicy()
    policy.last = keepLast ?? 0
    let counts: [(RetentionPolicy.Period, Int?)] = [
      (.hour, keepHourly), (.day, keepDaily), (.week, keepWeekly), (.month, keepMonthly), (.year, keepYearly),
    ]
    for case (let period, .some(let count)) in counts { policy.periods[period] = count }
    policy.within = keepWithin?.seconds ?? 0
    policy.tags = Set(keepTag)
    return policy
  }
}

struct PruneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prune", abstract: "Remove the snapshots that no rule keeps.",
    discussion: """
      What goes is hidden at once, and called back by `holdfast undelete` until this machine has known for the grace period that it goes; the prune after \
      that collects it, and its room becomes free. Kept in any case: the newest snapshot of a source, the newest complete one, the newest full that a verify \
      has proved, what is pinned, what has a time that lies ahead, and whatever a kept one builds on.

      \(ExitStatusTable.text)
      """)

  @OptionGroup var rules: RetentionOptions

  @Option(
    help: ArgumentHelp("How long removed snapshots can be called back.", valueName: "time"),
    transform: TimeSpan.argument)
  var grace = TimeSpan(days: 7)

  @Flag(name: .long, help: "Show what would be done, and why, and do nothing.")
  var dryRun = false

  @Flag(help: "Wait for another run on the same source instead of leaving that source out.")
  var wait = false

  @OptionGroup var place: RepositoryOptions
  @OptionGroup var writer: WriterOptions
  @OptionGroup var source: SourceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let host = Environment.makeHost()
    let watch = RunWatch(.prune, host: host, isDryRun: dryRun, config: place.config)
    try watch.run { try run(host, watch) }
  }

  private func run(_ host: Host, _ watch: RunWatch) throws {
    let repository = try place.open(host, credentials: writer.credentials(host), of: source.name)
    watch.opened(repository, source: source.name)
    var options = Prune.Options(policy: rules.policy)
    options.grace = Double(grace.seconds)
    options.source = source.name
    options.isDryRun = dryRun
    options.waitsForLock = wait
    let report = try Prune(repository: repository, options: options).run()
    watch.parts = report.sources.map { RunRecord.Part($0) }
    if output.json {
      try Console.json(PruneJSON(report, grace: grace.seconds))
    } else if !output.quiet {
      PruneText(report).lines.forEach(Console.output)
    }
    if let problem = report.memoryProblem {
      watch.warn("this machine cannot remember when it saw that snapshots were removed: \(problem)")
      Console.error(
        "holdfast: WARNING: this machine cannot remember when it saw that snapshots were removed, so none is collected: \(problem); set HOLDFAST_STATE_DIR"
      )
    }
    for warning in report.sources.flatMap(\.warnings) {
      watch.warn(warning)
      Console.error("holdfast: WARNING: \(warning)")
    }
    for refusal in report.sources.compactMap(\.refusal) {
      Console.error("holdfast: \(refusal.message)" + (refusal.hint.map { "\nHINT: " + $0 } ?? ""))
    }
    try Outcome.end(report.exitStatus)
  }
}

extension WriterOptions {
  /// For what signs and opens nothing.
  func credentials(_ host: Host) -> Credentials {
    var credentials = Credentials.none
    credentials.writer = { try read(host) }
    return credentials
  }
}

/// What a prune did, or would do, for people.
private struct PruneText {
  private(set) var lines: [String] = []

  init(_ report: Prune.Report) {
    var table = Table()
    for source in report.sources where source.refusal == nil {
      table.add([source.name.text])
      for line in source.lines {
        let (verb, why) = Self.words(line.fate, isDryRun: report.isDryRun)
        let envelope = line.snapshot.envelope
        table.add([
          "  " + verb, envelope.snapshot.short, envelope.kind.rawValue, TimeText.local(envelope.started),
          "#\(envelope.sequence)", why,
        ])
      }
      for log in source.logs {
        let verb = report.isDryRun ? "would collect" : "collected"
        var what: [String] = []
        if log.files > 0 {
          what.append(
            "\(Amount.count(UInt64(log.files), "file")) of cluster \(log.system), \(Amount.bytes(log.bytes)): older than every snapshot that is left"
          )
        }
        if log.damagedCopies > 0 {
          let copies = Amount.count(UInt64(log.damagedCopies), "damaged copy", "damaged copies")
          what.append("\(copies) of cluster \(log.system): another one of each file is sound")
        }
        for line in what { table.add(["  " + verb, "", "log", "", "", line]) }
      }
    }
    // Of what was refused there is nothing to sum up: "kept 0" would be read as a loss.
    guard report.sources.isEmpty || report.sources.contains(where: { $0.refusal == nil }) else { return }
    lines = table.lines.map { $0.trimmingTrailingBlanks() } + [Self.summary(report)]
  }

  private static func words(_ fate: Prune.Fate, isDryRun: Bool) -> (String, String) {
    switch fate {
    case .kept(let reasons): ("keep", reasons.map(\.description).joined(separator: "; "))
    case .removed: (isDryRun ? "would remove" : "removed", "no rule keeps it")
    case .waiting(let seconds):
      (
        "waits",
        "removed before; " + (seconds.map { "collected in \(PruneText.days($0))" } ?? "it is not known since when")
      )
    case .collected: (isDryRun ? "would collect" : "collected", "removed, and its grace period is over")
    }
  }

  private static func days(_ seconds: Double) -> String {
    let days = seconds / 86_400
    return days < 2 ? Amount.duration(seconds.rounded()) : "\(Int(saturating: days.rounded(.up))) d"
  }

  private static func summary(_ report: Prune.Report) -> String {
    let sums = PruneSums(report)
    var parts = ["\(report.isDryRun ? "would keep" : "kept") \(sums.kept.count)"]
    parts.append("\(report.isDryRun ? "remove" : "removed") \(sums.removed.count)")
    if sums.waiting.count > 0 { parts.append("\(sums.waiting.count) removed before") }
    if sums.collected.count > 0 {
      parts.append("\(report.isDryRun ? "collect" : "collected") \(sums.collected.count)")
    }
    let free = report.isDryRun ? "would be free now" : "free now"
    let later = sums.removed.bytes &+ sums.waiting.bytes
    return parts.joined(separator: ", ")
      + "; \(Amount.bytes(sums.collected.bytes &+ sums.logBytes)) \(free), \(Amount.bytes(later)) when the grace period is over"
  }
}

/// How many snapshots, and how many bytes, go which way.
private struct PruneSums {
  var kept = (count: 0, bytes: UInt64(0))
  var removed = (count: 0, bytes: UInt64(0))
  var waiting = (count: 0, bytes: UInt64(0))
  var collected = (count: 0, bytes: UInt64(0))
  var logBytes: UInt64 = 0

  init(_ report: Prune.Report) {
    logBytes = report.sources.flatMap(\.logs).reduce(0) { $0 &+ $1.bytes }
    for line in report.sources.flatMap(\.lines) {
      switch line.fate {
      case .kept: kept = (kept.count + 1, kept.bytes &+ line.bytes)
      case .removed: removed = (removed.count + 1, removed.bytes &+ line.bytes)
      case .waiting: waiting = (waiting.count + 1, waiting.bytes &+ line.bytes)
      case .collected: collected = (collected.count + 1, collected.bytes &+ line.bytes)
      }
    }
  }
}

private struct PruneJSON: Encodable {
  struct Line: Encodable {
    let id: String
    let sequence: UInt64
    let source: String
    let kind: String
    let time: String
    /// `keep`, `remove`, `wait` (it was removed before) or `collect`.
    let fate: String
    let reasons: [String]
    let bytes: UInt64
    /// Until it is collected, where that is known.
    let secondsLeft: Double?
  }

  struct Refusal: Encodable {
    let source: String
    let message: String
    let hint: String?
    let exitStatus: Int32
  }

  /// What goes of an archived log.
  struct Log: Encodable {
    let source: String
    let system: String
    let files: Int
    /// Of files that stay, each with a sound one beside it.
    let damagedCopies: Int
    let bytes: UInt64
  }

  let dryRun: Bool
  let graceSeconds: Int64
  let snapshots: [Line]
  let logs: [Log]
  let refusals: [Refusal]
  let kept: Int
  let removed: Int
  let waiting: Int
  let collected: Int
  let freedBytes: UInt64
  let laterBytes: UInt64

  init(_ report: Prune.Report, grace: Int64) {
    dryRun = report.isDryRun
    graceSeconds = grace
    snapshots = report.sources.flatMap(\.lines).map(Self.line)
    logs = report.sources.flatMap(\.logs).map {
      Log(
        source: $0.source.text, system: $0.system.description, files: $0.files,
        damagedCopies: $0.damagedCopies, bytes: $0.bytes)
    }
    refusals = report.sources.compactMap { source in
      source.refusal.map {
        Refusal(source: source.name.text, message: $0.message, hint: $0.hint, exitStatus: $0.exitStatus.rawValue)
      }
    }
    let sums = PruneSums(report)
    (kept, removed, waiting, collected) =
      (sums.kept.count, sums.removed.count, sums.waiting.count, sums.collected.count)
    freedBytes = sums.collected.bytes &+ sums.logBytes
    laterBytes = sums.removed.bytes &+ sums.waiting.bytes
  }

  private static func line(_ line: Prune.Line) -> Line {
    let envelope = line.snapshot.envelope
    var (fate, reasons, seconds): (String, [String], Double?) = ("keep", [], nil)
    switch line.fate {
    case .kept(let kept): reasons = kept.map(\.description)
    case .removed: fate = "remove"
    case .waiting(let left): (fate, seconds) = ("wait", left)
    case .collected: fate = "collect"
    }
    return Line(
      id: envelope.snapshot.description, sequence: envelope.sequence, source: envelope.source.name.text,
      kind: envelope.kind.rawValue, time: envelope.time.started, fate: fate, reasons: reasons, bytes: line.bytes,
      secondsLeft: seconds)
  }
}
