internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSystem

/// Is told how runs go. It must not fail: whoever cannot do what it wants says so on standard error, and the run ends as it would have.
protocol RunObserver {
  /// A run begins; its repository is not open yet.
  func began(_ beginning: RunBeginning)
  /// Its repository is open.
  /// - Parameter sources: what it works on, as far as that is known.
  func opened(_ repository: Repository, sources: [SourceName])
  /// It is over, whatever came of it.
  func ended(_ record: RunRecord)
}

extension RunObserver {
  func began(_ beginning: RunBeginning) {}
  func opened(_ repository: Repository, sources: [SourceName]) {}
}

/// What is known of a run when it begins.
struct RunBeginning {
  let command: RunCommand
  let host: String
  let began: Timestamp
}

/// Through which every run passes that takes, merges, proves, removes or restores snapshots: it knows when the run began, collects warnings and what
/// was done, and at the end hands all of it to observers. The journal is one of them from when the repository is open.
///
/// A dry run goes through one as well, and nobody is told of it.
final class RunWatch {
  private static let warningsMax = 100
  private let command: RunCommand
  private let machine: MachineContext
  private let isRecorded: Bool
  private let began: Timestamp
  private let begun: Double
  private var observers: [any RunObserver] = []
  private var warningCount: UInt64 = 0
  private var warnings: [String] = []
  /// How the run ends where its work returns: a command that goes on with other sources throws no outcome.
  var status = ExitStatus.done
  /// What was done, source by source. A command says it as soon as it knows the sources, so that a run that fails later counts as theirs.
  var parts: [RunRecord.Part] = []

  init(_ command: RunCommand, _ machine: MachineContext, isDryRun: Bool = false) {
    self.command = command
    self.machine = machine
    isRecorded = !isDryRun
    began = machine.host.clock.now()
    begun = machine.host.clock.uptime()
    if isRecorded, let notifier = Notifier(NotificationTargets(machine)) { observers.append(notifier) }
  }

  /// Adds who wants to be told.
  func add(_ observer: any RunObserver) { observers.append(observer) }

  /// The repository is open: its journal wants to be told.
  /// - Parameter source: what the run works on, where that is known already and the repository has it; `nil`: the only source that it has.
  func opened(_ repository: Repository, source: SourceName?) {
    add(JournalWriter(repository: repository))
    let known = (try? repository.sourceNames()) ?? []
    if let source {
      // A directory or a name mistyped is no source.
      parts = known.contains(source) ? [RunRecord.Part(source)] : []
    } else {
      parts = known.count == 1 ? [RunRecord.Part(known[0])] : []
    }
    let sources = source.map { [$0] } ?? parts.map(\.source)
    if isRecorded { for observer in observers { observer.opened(repository, sources: sources) } }
  }

  /// A warning, or something that is not whole, in the words of the operator.
  func warn(_ text: String) {
    warningCount += 1
    if warnings.count < Self.warningsMax { warnings.append(text) }
  }

  /// Does the work of a run. Its end is what is recorded, and is passed on as it was.
  func run<Value>(_ work: () throws -> Value) throws -> Value {
    if isRecorded {
      let beginning = RunBeginning(command: command, host: machine.environment.hostName, began: began)
      for observer in observers { observer.began(beginning) }
    }
    do {
      let value = try work()
      end(status, failure: nil)
      return value
    } catch {
      switch error {
      case let outcome as Outcome: end(outcome.status, failure: nil)
      case let known as any OperatorError: end(known.exitStatus, failure: known.message)
      default: end(.failed, failure: "\(error)")
      }
      throw error
    }
  }

  private func end(_ status: ExitStatus, failure: String?) {
    guard isRecorded else { return }
    let record = RunRecord(
      command: command, host: machine.environment.hostName, began: began, ended: machine.host.clock.now(),
      seconds: machine.host.clock.uptime() - begun, status: status, failure: failure, warningCount: warningCount,
      warnings: warnings, parts: parts)
    for observer in observers { observer.ended(record) }
  }
}

/// Writes runs into the journals of their sources.
struct JournalWriter: RunObserver {
  let repository: Repository

  func ended(_ record: RunRecord) {
    let journal = Journal(of: repository)
    do {
      for part in record.parts {
        let entry = record.entry(of: part, isSealed: repository.sealed != nil)
        for damage in try journal.append(entry, to: part.source) {
          Console.error("holdfast: WARNING: \(damage.message); a new journal is begun")
        }
      }
    } catch {
      // A run that failed says why, and that it did: what else cannot be written is no news then.
      guard record.failure == nil else { return }
      let reason = (error as? any OperatorError)?.message ?? "\(error)"
      Console.error("holdfast: WARNING: this run is not in the journal of the repository: \(reason)")
    }
  }
}
