internal import ArgumentParser
internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// Completions from the repository while a command line is typed: IDs of snapshots, names of sources.
///
/// Nothing is asked, printed or written. If the repository cannot be read, there are no completions; if it is slow,
/// only those that have come.
enum Candidates {
  /// The timeout is short because an operator waits at the prompt.
  private static let timeout = TimeSpan.seconds(1)

  static let snapshots = CompletionKind.custom { words, _, prefix in
    let line = TypedLine(words)
    let name = line.value(long: "--name").flatMap { SourceName($0) }
    let isLong = prefix.count > shortDigits
    let describes = CompletionShell.requesting != .bash
    return [SnapshotSelector.Name.latest.description]
      + collected(line) { repository, found in
        let name = try name.map { try repository.names.source($0) }
        for source in try repository.catalog.sourceNames() where name == nil || name == source {
          for snapshot in try repository.catalog.allSnapshots(of: source, includingDiverged: true, onDamage: { _ in })
            .reversed()
          {
            let id = isLong ? snapshot.id.description : snapshot.id.short
            found.append(describes ? id + separator + description(snapshot.envelope) : id)
          }
        }
      }
  }

  static let sources = CompletionKind.custom { words, _, _ in
    collected(TypedLine(words)) { repository, found in
      for source in try repository.catalog.sourceNames() { found.append(source.text) }
    }
  }

  /// True if a completion script runs this program.
  static func areAskedFor(by arguments: some Collection<String>) -> Bool { arguments.first == "---completion" }

  /// The digits of an ID as `list` shows it.
  private static let shortDigits = 8

  /// Separates a completion from its description.
  private static var separator: String { CompletionShell.requesting == .fish ? "\t" : ":" }

  private static func description(_ envelope: Envelope) -> String {
    "\(envelope.kind.rawValue) of \(envelope.source.name), \(TimeText.local(envelope.started))"
  }

  /// The results of one thread while another one waits.
  final class Found: Sendable {
    private let state = Mutex((lines: [String](), isComplete: false))

    func append(_ line: String) { state.withLock { $0.lines.append(line) } }
    fileprivate func end() { state.withLock { $0.isComplete = true } }
    fileprivate var isComplete: Bool { state.withLock { $0.isComplete } }
    fileprivate var lines: [String] { state.withLock { $0.lines } }
  }

  /// Returns what `collect` has found in the repository of the command line before the prompt has waited too long.
  static func collected(
    _ line: TypedLine, _ collect: @escaping @Sendable (Repository, Found) throws -> Void
  ) -> [String] {
    let found = Found()
    // A disk that hangs blocks this thread but not the prompt; the thread ends with the process.
    WorkerThread.detach {
      let machine = MachineContext(
        host: Host(workers: 1, scratchDirectories: []), environment: .ofThisProcess,
        configurationFile: line.value(long: "--config"))
      if let location = try? location(line, machine), let store = try? machine.schemes.open(location, machine.host),
        let repository = try? Repository.open(store, host: machine.host)
      {
        try? collect(repository, found)
      }
      found.end()
    }
    let begun = Clock.system.uptime()
    while !found.isComplete, Clock.system.uptime() - begun < timeout { Pause.forAnotherThread() }
    return found.lines
  }

  /// Returns the repository of the command line; `nil` when it names none, or not exactly one.
  private static func location(_ line: TypedLine, _ machine: MachineContext) throws -> StoreLocation? {
    let named =
      line.value(ofShort: "-r", long: "--repository") ?? machine.environment.value("HOLDFAST_REPOSITORY")
    if let named, named.contains("/") { return try machine.location(named) }
    let site = (try? machine.loader().load()) ?? nil
    guard let named, !named.isEmpty else {
      return try site?.repositories.count == 1 ? site.map { try StoreLocation($0.repositories[0].location) } : nil
    }
    return try site?.repository(named).map { try StoreLocation($0.location) } ?? machine.location(named)
  }
}
