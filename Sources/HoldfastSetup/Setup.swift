internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastDrill
internal import HoldfastModel
package import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Installs the schedule of a setup.
package protocol SetupScheduler {
  /// Checks that the schedule can be installed, and changes nothing.
  /// - Returns: the schedule in words.
  func check() throws -> String
  /// Determines what is to be installed, when the source is configured.
  func plan() throws -> SetupSchedule
}

/// Everything from a directory without a backup to a snapshot that was restored on trial. What an earlier setup has
/// made is used as it is, so a setup that failed is continued by the same one.
package struct Setup {
  private let site: SetupSite
  private let request: SetupRequest
  private let name: SourceName
  private let scheduler: (any SetupScheduler)?
  private let repository: RepositoryStep
  private let configuration: ConfigurationStep
  private let snapshot: FirstSnapshot
  private let change: ConfigurationStep.Change
  /// `nil` if no file gets the sheet.
  private let sheet: SheetFile?
  private let scheduleText: String?

  /// Checks everything that can be checked before anything is made.
  /// - Parameter scheduler: `nil` for no schedule.
  /// - Throws: the reason why it cannot be done as it was asked for.
  package init(_ request: SetupRequest, at site: SetupSite, scheduler: (any SetupScheduler)?) throws {
    (self.site, self.request, self.scheduler) = (site, request, scheduler)
    name = request.name ?? site.usualName
    repository = RepositoryStep(site: site, request: request)
    configuration = ConfigurationStep(site: site, request: request, name: name)
    snapshot = FirstSnapshot(site: site, name: name)
    try repository.check()
    if let directory = request.drillDirectory, let place = site.place(of: directory) {
      throw EngineError(
        .usage, "the place for the trial restore, \(directory), lies in the \(place.name) \(place.path)",
        hint: "Name a directory elsewhere with --drill-in DIR.", exitStatus: .usage)
    }
    if let postgres = request.postgres { try DatabaseServer(connection: postgres, site: site).check() }
    change = try configuration.change()
    if case .none = change { try snapshot.check(isConfigured: true) } else { try snapshot.check(isConfigured: false) }
    sheet = request.sheet.map { SheetFile(path: $0, site: site) }
    try sheet?.check(besides: repository.keyPaths + configuration.paths(change))
    scheduleText = try scheduler?.check()
  }

  /// The steps as a dry run shows them, a line for each.
  package var intentions: [String] {
    get throws {
      var lines: [String] = []
      if case .keyFile(let path) = request.protection {
        lines.append(try repository.makesKeyFile ? "would make the key file \(path)" : "would use the key file \(path)")
      }
      let place = site.context.location
      lines.append(
        site.repository.map { "would use the repository \($0.id.short) in \(place), which is there already" }
          ?? "would make a repository in \(place), \(protection)")
      switch change {
      case .none: lines.append("would use the configuration, which has the source \(name) already")
      case .write(let file, _):
        lines.append("would write \(file.path):")
        lines += file.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map {
          $0.isEmpty ? "" : "  \($0)"
        }
      }
      let newest = try site.repository.flatMap { try snapshot.newest(in: $0) }
      lines.append(
        newest.map { "would take no snapshot: \($0.id.short) of \(name) is there already" }
          ?? "would take the first snapshot of \(name), \(site.contents.path)")
      lines.append(scheduleText.map { "would schedule \($0)" } ?? "would schedule nothing")
      return lines + ["would restore the newest snapshot on trial"]
    }
  }

  private var protection: String {
    switch request.protection {
    case .keyFile: "sealed to that key"
    case .passphrase: "sealed to the passphrase"
    case .unsealed: "not sealed: whoever can read it can read the orders in it"
    }
  }

  /// Does it.
  /// - Parameters:
  ///   - observer: gets the messages of the backup and of the trial restore.
  ///   - tell: gets a line when a step is done.
  ///   - warn: gets what is unusual about the place of the repository.
  /// - Throws: `SetupFailure` when a step fails.
  package func perform(
    _ observer: any SourceRunObserver, tell: (String) -> Void, warn: (String) -> Void
  ) throws -> SetupReport {
    var done: [String] = []
    func step<Value>(_ name: String, _ work: () throws -> Value) throws -> Value {
      do { return try work() } catch { throw SetupFailure(describe(error), at: name, after: done) }
    }
    func made(_ what: String, _ text: String) {
      done.append(what)
      tell(text)
    }
    if case .keyFile(let path) = request.protection, try step("the key file", { try repository.makeKeyFile() }) {
      made("the key file", "made the key file \(path)")
    }
    let opened = try step("the repository") { try site.repository ?? repository.make(warn: warn) }
    made(
      "the repository",
      site.repository == nil
        ? "made the repository \(opened.id.short) in \(opened.location)"
        : "the repository \(opened.id.short) is in \(opened.location) already")
    let (settings, source) = try step("the configuration") { try configure(opened, made) }
    let taken = try step("the first snapshot") { () throws -> ExitStatus in
      if let newest = try snapshot.newest(in: opened) {
        made("the first snapshot", "snapshot \(newest.id.short) of \(name) is there already")
        return .done
      }
      let (status, summary) = try snapshot.take(source, in: settings, repository.keys, observer)
      made("the first snapshot", summary)
      return status
    }
    let scheduled = try step("the schedule") { try schedule(made) }
    let drill = try step("the trial restore") {
      try TrialRestore(site: site, request: request, keys: repository.keys).perform(on: source, in: settings, observer)
    }
    if drill.failure == nil { tell("restored on trial: \(drill.verdict)") }
    let report = SetupReport(
      source: name, contents: site.contents, repository: opened.id, location: site.context.location.text,
      isBesideSource: site.isBesideSource,
      keyring: opened.keyring.sealed?.revision.digest, protection: request.protection,
      configuration: settings.files, named: try site.machine.loader().location.named, schedule: scheduled,
      drill: drill, backupStatus: taken, host: site.machine.environment.hostName, time: site.machine.host.clock.now())
    if let sheet { try step("the sheet") { try sheet.write(report.sheet) } }
    return report
  }

  private func configure(
    _ repository: Repository, _ made: (String, String) -> Void
  ) throws -> (Settings, SourceSettings) {
    let change = try configuration.change(keyring: repository.keyring.sealed?.revision.digest.description)
    switch change {
    case .none: made("the configuration", "the source \(name) is configured already")
    case .write(let file, let access):
      try ConfigurationStep.write(file, access, site.machine.host)
      made("the configuration", "wrote \(file.path)")
    }
    let settings = try site.machine.neededSettings()
    guard let source = settings.source(name.text) else {
      throw MissingConfiguration(for: "the source \(name)", in: try site.machine.loader().location.usual)
    }
    return (settings, source)
  }

  /// - Returns: the schedule in words; `nil` if none is wanted.
  private func schedule(_ made: (String, String) -> Void) throws -> String? {
    guard let planned = try scheduler?.plan() else { return nil }
    guard !planned.isThere else {
      made("the schedule", "the schedule is there already: \(planned.text)")
      return planned.text
    }
    try planned.plan.execute(in: planned.scheduler, site.machine.host.cancellation)
    made("the schedule", "scheduled \(planned.text)")
    return planned.text
  }
}
