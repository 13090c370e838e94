internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastPage
internal import HoldfastReport
internal import HoldfastRepository
internal import HoldfastSystem

struct TargetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "target", abstract: "Show and change the targets of a repository.",
    discussion: HelpEnd.text("holdfast target list", "holdfast target check"),
    subcommands: [
      TargetListCommand.self, TargetAddCommand.self, TargetRemoveCommand.self, TargetPromoteCommand.self,
      TargetCheckCommand.self,
    ])
}

/// One target as `target list` and `status` show it.
struct TargetRow {
  private let listed: ListedTarget

  /// - Parameter evenIfAlone: true if the only target of a repository is a row too.
  /// - Returns: the rows, home first.
  static func read(
    _ context: RepositoryContext, _ home: Result<Repository, any Error>, _ source: SourceName?,
    evenIfAlone: Bool = false
  ) throws -> [TargetRow] {
    let targets = RepositoryTargets(context)
    guard evenIfAlone || !targets.others.isEmpty else { return [] }
    return try targets.standings(of: home, source).map {
      TargetRow(listed: ListedTarget($0, isHome: $0 == context.configured?.home, $1))
    }
  }

  /// Returns how redundant each source is; nothing for a repository with only one target.
  static func redundancy(
    of statuses: [SourceStatus], at rows: [TargetRow], _ repository: Repository
  ) -> [RedundancyStatus] {
    rows.isEmpty ? [] : statuses.map { RedundancyStatus($0, at: rows.map(\.listed), of: repository) }
  }

  private var target: TargetSettings { listed.settings }
  private var standings: Result<[TargetStanding], any Error> { listed.standings }

  private var domains: [String: String] {
    Dictionary(uniqueKeysWithValues: target.domains.map { ($0.key.rawValue, $0.value) })
  }

  /// For metrics.
  var reading: (name: String, standings: Result<[TargetStanding], any Error>) { (target.name, standings) }

  /// For a report.
  var facts: ReportFacts.Target {
    ReportFacts.Target(
      target.name, location: target.location, isHome: listed.isHome, keeps: target.retention,
      holdings: standings.map { standings in
        standings.map {
          ReportFacts.Target.Holding($0.source, newest: $0.newest?.envelope.started, behind: $0.behind)
        }
      }.mapError { ReportFacts.Target.Failure(describe($0).message) })
  }

  /// The reason why it could not be listed.
  var failure: (any OperatorError)? {
    if case .failure(let failure) = standings { describe(failure) } else { nil }
  }

  var json: TargetStandingJSON {
    TargetStandingJSON(
      target.name, location: target.location, isHome: listed.isHome, domains: domains,
      keeps: target.retention, standings)
  }

  var lines: [String] {
    TargetStandingText.lines(
      target.name, location: target.location, isHome: listed.isHome, domains: domains, keeps: target.retention,
      standings)
  }
}

struct TargetListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the targets, and how far each is behind home.",
    discussion: """
      Shows where each target is, what it would fail together with, the newest snapshot of each source there, and how \
      many snapshots of home it does not have; or why it does not answer. Of a repository that is not configured, and of \
      another target that is named by its location, it shows the list of targets in it: any one leads to the others.

      \(HelpEnd.text("holdfast target list", "holdfast target list -r /backup/shop --json"))
      """)

  @OptionGroup var location: RepositoryOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let machine = location.machine(output)
    let context = try location.context(machine)
    // Another target that is named by its location is asked what it knows itself.
    guard let configured = context.configured, context.target == configured.home else {
      return try show(recordedIn: context)
    }
    let home = Result<Repository, any Error> { try context.open() }
    let rows = try TargetRow.read(context, home, nil, evenIfAlone: true)
    if output.json {
      try Console.json(TargetsJSON(rows.map(\.json)))
    } else {
      rows.flatMap(\.lines).forEach(Console.output)
    }
    let failures = rows.compactMap(\.failure)
    if let hint = failures.compactMap(\.hint).first { Console.hint(hint) }
    try Outcome.end(failures.isEmpty ? .done : .incomplete)
  }

  /// Shows the list of targets that the repository contains.
  private func show(recordedIn context: RepositoryContext) throws {
    let repository = try context.open()
    guard let list = try repository.targets.newest() else { throw RepositoryContext.notConfigured }
    if output.json {
      try Console.json(TargetsJSON(list.targets.map { TargetMemberJSON($0, in: list) }))
    } else {
      list.lines.forEach(Console.output)
    }
  }
}
