internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastOperations
internal import HoldfastRepository
package import HoldfastStandby
internal import HoldfastStore
internal import HoldfastSystem

/// `holdfast failback SOURCE`, on a host that has served and does not serve any more: keeps everything that its source
/// has, in snapshots of a source of their own, and then stands by.
package final class Failback {
  package struct Report: Sendable {
    package let source: SourceName
    package let repository: Identifier
    package let host: HostName
    /// The host that serves, and the number of the lease that announced it.
    package let serving: ServingRole
    /// The source whose snapshots keep what this host has.
    package let kept: SourceName
    /// The directory that is kept, and that becomes a copy of the standby.
    package let data: Path
    package let directory: Path
    /// The same directory without symbolic links; `nil` if there is none.
    let found: Path?
    package let isDryRun: Bool
    package internal(set) var snapshot: (id: Identifier, sequence: UInt64)?
    /// The standby after its first pass.
    package internal(set) var standby: StandbyReport?
    package internal(set) var duration = TimeSpan.zero
  }

  /// The most names that are tried for what is kept.
  private static let keptMax = 1000
  /// The source; its stored name is known once the repository is open.
  private var source: SourceName
  private let context: RepositoryContext
  private let place: FailoverPlace
  private let watch: RunWatch
  private let progress: any ProgressObserver
  private var host: Host { context.machine.host }

  /// - Parameter directory: the directory of the standby; `nil` for the configured one.
  package init(
    _ source: SourceName, at context: RepositoryContext, directory: Path?, _ watch: RunWatch,
    progress: any ProgressObserver
  ) throws {
    (self.source, self.context, self.watch, self.progress) = (source, context, watch, progress)
    place = try FailoverPlace(source, at: context, directory: directory)
  }

  private func open() throws -> Repository {
    let opened = try context.openHome(for: source) { [watch] in watch.tellAndRecord(Notice(.warning, $0), as: $0) }
    source = try opened.repository.names.source(source)
    return opened.repository
  }

  /// Finds out what would be done.
  package func look() throws -> Report {
    try plan(open(), place.takeover(isDryRun: true, progress), isDryRun: true)
  }

  private func plan(_ repository: Repository, _ takeover: Takeover, isDryRun: Bool) throws -> Report {
    let standing = try ServingStanding(of: source, in: repository)
    guard standing.reading != .unclear else {
      throw LeaseError.roleUnclear(name: source.text, location: repository.location)
    }
    let role = standing.role
    let served = try takeover.promotion.flatMap { $0.stage == .announcing ? nil : $0 }
    // Announced anew after another host has served, it cannot begin from what it has had before.
    let isAnew = role?.isAwaited == true && served != nil && served?.since != role?.since
    guard let role, role.serving != place.name || isAnew else {
      throw EngineError(
        .usage,
        role == nil
          ? "no number says that another host serves \(source)" : "this host, \(place.name), serves \(source) itself",
        hint: "A host can stand by when another one serves: holdfast switchover \(source) --to HOST.",
        exitStatus: .usage)
    }
    guard case .directory(let data) = place.configured.subject, let kept = try unusedName(repository) else {
      throw EngineError(
        .usage, "\(source) is no directory, or its name is too long for another one that tells what has diverged",
        hint: "Keep what this host has by hand: holdfast backup DIR --name NAME.", exitStatus: .usage)
    }
    return Report(
      source: source, repository: repository.id, host: place.name, serving: role, kept: kept, data: data,
      directory: takeover.path, found: try find(data, served, takeover), isDryRun: isDryRun)
  }

  /// Keeps what this host has, and stands by.
  /// - Parameter confirm: shows the plan; throws unless it may be done.
  package func run(confirm: (Report) throws -> Void) throws -> Report {
    let begun = host.clock.uptime()
    let repository = try open()
    var report: Report
    do {
      let takeover = try place.takeover(isDryRun: false, progress)
      report = try plan(repository, takeover, isDryRun: false)
      watch.opened(repository, source: source)
      try confirm(report)
      try demote()
      let data = report.found
      report.snapshot = try data.map { try keep($0, report, repository) }
      try release(report, data, takeover, repository)
    }
    report.standby = try standBy(report)
    report.duration = host.clock.uptime() - begun
    return report
  }

  /// Nothing may write to the source from now on.
  private func demote() throws {
    let end = try place.site.run(.demote, ["HOLDFAST_PRIMARY": place.name.text])
    guard !end.isSuccess else { return }
    throw EngineError(
      .machine, "demote has not succeeded, and nothing was changed: \(end.text)",
      hint: "See if the service runs here, end it, and run the same command again.")
  }

  /// Returns the first name of a source for what this host has that no source has ever had.
  private func unusedName(_ repository: Repository) throws -> SourceName? {
    let text = "\(source)-diverged-\(place.name)"
    for count in 1...Self.keptMax {
      guard let name = SourceName(count == 1 ? text : "\(text)-\(count)") else { return nil }
      if try !repository.catalog.isKnown(name), try repository.catalog.removal(of: name) == nil { return name }
    }
    return nil
  }

  /// Finds the directory that is to be kept. Where this host has served from a copy, the source must lead to that.
  private func find(_ data: Path, _ served: Promotion?, _ takeover: Takeover) throws -> Path? {
    var found: Path?
    do throws(SystemError) {
      found = try host.files.resolve(data)
    } catch {
      guard error.isNotFound else { throw error }
    }
    guard let served else { return found }
    let copy = takeover.data(of: served)
    let files = host.files
    if let found, let there = try files.statusIfPresent(of: copy), try files.status(of: found).isSameFile(as: there) {
      return copy
    }
    throw EngineError(
      .usage,
      "\(data) \(found == nil ? "does not exist" : "does not lead there"), and this host has served \(source) from \(copy)",
      hint:
        "Let \(data) lead to \(copy), which may have orders that no snapshot has, and run the same command again. Move away what is at \(data) instead.",
      exitStatus: .usage)
  }

  /// Takes a snapshot of everything that this host has, as a source of its own.
  private func keep(
    _ data: Path, _ report: Report, _ repository: Repository
  ) throws -> (id: Identifier, sequence: UInt64) {
    let settings = place.configured.keptAside(as: report.kept, data)
    let configured = try ConfiguredSource(settings, in: repository, at: context)
    let taken = try configured.backup(configured.backupOptions(kind: nil), watch, progress)
    watch.parts.append(RunRecord.Part(source))
    watch.tell(taken.report)
    guard taken.report.problems.isEmpty else {
      throw EngineError(
        .machine, "what this host has could not be kept whole, and nothing was moved",
        hint: "Correct that, and run the same command again.", exitStatus: .incomplete)
    }
    _ = try configured.bringUp(taken, progress)
    return (taken.report.envelope.snapshot, taken.report.envelope.sequence)
  }

  /// Makes the old data, which were kept, a copy that the standby may write over: it restores only what differs.
  /// - Parameter data: the directory, without symbolic links; `nil` if there is none.
  private func release(
    _ report: Report, _ data: Path?, _ takeover: Takeover, _ repository: Repository
  ) throws {
    try takeover.standBy(over: data, repository)
    guard let data, let status = try host.files.statusIfPresent(of: report.data) else { return }
    if status.kind == .symbolicLink {
      // It leads to the copy from which this host has served.
      if takeover.path.contains(data) { try host.files.removeFile(report.data) }
      return
    }
    // A copy that is mounted at the path of the source.
    guard !takeover.path.contains(data) else { return }
    if try !takeover.adopt(data) {
      let text =
        "\(data) was kept and stays where it is: it cannot become a copy in \(takeover.path), and the standby makes its own"
      watch.tellAndRecord(Notice(.warning, text), as: text)
    }
  }

  private func standBy(_ report: Report) throws -> StandbyReport {
    let observer = StandbyEar(watch, progress)
    return try Standby(source, at: context, Standby.Options(directory: report.directory), observer: observer).once()
  }
}

/// Passes on what a standby tells to the run that it is part of.
private final class StandbyEar: NoticeObserver {
  private let watch: RunWatch
  private let progress: any ProgressObserver

  init(_ watch: RunWatch, _ progress: any ProgressObserver) { (self.watch, self.progress) = (watch, progress) }

  func tell(_ notice: Notice) { watch.tellAndRecord(notice, as: notice.text) }
  func makeProgress() -> any RunProgress { watch.makeProgress() }
}

extension Failback.Report: Encodable {
  private enum CodingKeys: String, CodingKey {
    case source, repository, host, serving, data, directory, dryRun, snapshot, standby, seconds
    case kept = "keptAs"
  }

  private struct Taken: Encodable {
    let id: String
    let sequence: UInt64
  }

  private struct Serving: Encodable {
    let host: String
    let sinceNumber: UInt64
  }

  private struct Followed: Encodable {
    let sequence: UInt64
    let writtenBytes: UInt64
  }

  /// The report for people.
  package var lines: [String] {
    guard let standby else {
      return [
        "\(serving.serving) serves \(source), and \(host) stands by: it runs demote and keeps all of \(data) as a snapshot of \(kept); then \(data) becomes a copy in \(directory), and follows"
      ]
    }
    let keeping =
      snapshot.map { "kept all of \(data) as snapshot \($0.id.short) of \(kept)" }
      ?? "there is nothing at \(data) to keep"
    return [keeping] + standby.lines + ["  \(host) stands by, after \(Amount.duration(duration))"]
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(source.text, forKey: .source)
    try container.encode(repository.description, forKey: .repository)
    try container.encode(host.text, forKey: .host)
    try container.encode(Serving(host: serving.serving.text, sinceNumber: serving.since), forKey: .serving)
    try container.encode(kept.text, forKey: .kept)
    try container.encode(data.description, forKey: .data)
    try container.encode(directory.description, forKey: .directory)
    try container.encode(isDryRun, forKey: .dryRun)
    try container.encode(
      snapshot.map { Taken(id: $0.id.description, sequence: $0.sequence) }, forKey: .snapshot)
    let followed = standby.map {
      Followed(sequence: $0.serving?.record.sequence ?? $0.newest.sequence, writtenBytes: $0.writtenBytes)
    }
    try container.encode(followed, forKey: .standby)
    try container.encode(duration, forKey: .seconds)
  }
}
