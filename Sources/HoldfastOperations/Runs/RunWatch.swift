package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// Observes runs. It must not fail: it reports its problems to a `NoticeObserver`, and the run ends as it would have.
package protocol RunObserver {
  /// A run begins; its repository is not open yet.
  func began(_ beginning: RunBeginning)
  /// Its repository is open.
  /// - Parameter sources: the sources of the run, as far as they are known.
  func opened(_ repository: Repository, sources: [SourceName])
  /// The run is over, successful or not.
  func ended(_ record: RunRecord)
}

extension RunObserver {
  package func began(_ beginning: RunBeginning) {}
  package func opened(_ repository: Repository, sources: [SourceName]) {}
}

/// The facts about a run that are known when it begins.
package struct RunBeginning {
  package let command: RunCommand
  package let host: String
  package let began: Timestamp
}

/// The watch of a run. Every run that takes, merges, verifies, removes or restores snapshots has one. It knows when the
/// run began, collects warnings and results, and at the end gives everything to its observers. When the repository is
/// open, its journal is one of them.
///
/// A dry run has a watch too, but no observers.
package final class RunWatch {
  private static let warningsMax = 100
  private let command: RunCommand
  private let machine: MachineContext
  /// Gets the messages of the run.
  private let notices: any NoticeObserver
  /// True if the run has observers; a dry run has none.
  package let isRecorded: Bool
  private let began: Timestamp
  private let begun: TimeSpan
  private var observers: [any RunObserver] = []
  /// Writes the journal of the repository, once that is open.
  private var journal: JournalWriter?
  private var warningCount: UInt64 = 0
  private var warnings: [String] = []
  /// The containers that were read with their parity.
  private var parityUses: ParityUses?
  /// The errands of the repository, which may go on until the run is over.
  private var errands: Errands?
  /// The exit status if the work returns normally: a command that continues with other sources throws no `Outcome`.
  package var status = ExitStatus.done
  /// The results for each source. A command sets them as soon as it knows its sources, so that a later failure is
  /// recorded for these.
  package var parts: [RunRecord.Part] = []

  package init(
    _ command: RunCommand, _ machine: MachineContext, notices: any NoticeObserver, isDryRun: Bool = false
  ) {
    self.command = command
    self.machine = machine
    self.notices = notices
    isRecorded = !isDryRun
    began = machine.host.clock.now()
    begun = machine.host.clock.uptime()
  }

  /// Adds an observer.
  package func add(_ observer: any RunObserver) { observers.append(observer) }

  /// Adds the journal of a repository as an observer, now that the repository is open.
  /// - Parameter source: the source of the run, if it is known and exists in the repository; `nil` for its only source.
  package func opened(_ repository: Repository, source: SourceName?) {
    if repository.isHome { journal = JournalWriter(repository: repository, notices: notices) }
    let source = source.map { (try? repository.names.source($0)) ?? $0 }
    (errands, parityUses) = (repository.errands, repository.containers.parityUses)
    if let source {
      // A mistyped name or directory is no source.
      parts = (try? repository.catalog.isKnown(source)) == true ? [RunRecord.Part(source)] : []
    } else {
      let known = (try? repository.catalog.sourceNames()) ?? []
      parts = known.count == 1 ? [RunRecord.Part(known[0])] : []
    }
    let sources = source.map { [$0] } ?? parts.map(\.source)
    if isRecorded, repository.isHome { for part in parts { repository.journal.expectAppend(to: part.source) } }
    if isRecorded { for observer in observers { observer.opened(repository, sources: sources) } }
  }

  /// Records a warning, or a path that is not whole, in the operator's words.
  package func warn(_ text: String) {
    warningCount += 1
    if warnings.count < Self.warningsMax { warnings.append(text) }
  }

  /// Gives a message to the operator, and keeps it for the record of the run.
  package func tellAndRecord(_ notice: Notice, as text: String) {
    warn(text)
    notices.tell(notice)
  }

  /// Gives a message to the operator that does not belong into the record of the run, or is already in it.
  package func tell(_ notice: Notice) { notices.tell(notice) }

  /// Makes a display for the progress of work that begins now. Its warnings are kept for the record of the run.
  /// - Parameter source: `nil` when the run is on one source only.
  package func makeProgress(of source: SourceName? = nil) -> WatchedProgress {
    WatchedProgress(notices.makeProgress(), watch: self, of: source)
  }

  /// Does the work of a run. Its result is recorded, and passed on unchanged.
  package func run<Value>(_ work: () throws -> Value) throws -> Value {
    if isRecorded {
      let beginning = RunBeginning(command: command, host: machine.environment.hostName, began: began)
      for observer in observers { observer.began(beginning) }
    }
    do {
      let value = try work()
      end(status, failure: nil)
      return value
    } catch {
      if let outcome = error as? Outcome {
        end(outcome.status, failure: nil)
      } else {
        let known = describe(error)
        // An operator's mistake at a restore says nothing about what can be restored, and is no failed run of it. Nor
        // is a drill without the key.
        if command == .restore, known.scope == .usage { journal = nil }
        if command == .drill, known.exitStatus == .wrongKey { journal = nil }
        end(known.exitStatus, failure: known.message)
      }
      throw error
    }
  }

  /// Warns of containers that were read with their parity. A verify or a scrub has reported them already.
  private func tellParityUses() {
    guard command != .scrub, let keys = parityUses?.takeUntold(), !keys.isEmpty else { return }
    for key in keys { tellAndRecord(Notice(.warning, ParityUses.message(key)), as: ParityUses.message(key)) }
    tell(Notice(.hint, "Run `holdfast scrub --repair`: it writes anew what is damaged."))
  }

  private func end(_ status: ExitStatus, failure: String?) {
    defer { errands?.wait() }
    tellParityUses()
    guard isRecorded else { return }
    let record = RunRecord(
      command: command, host: machine.environment.hostName, began: began, ended: machine.host.clock.now(),
      duration: machine.host.clock.uptime() - begun, status: status, failure: failure, warningCount: warningCount,
      warnings: warnings, parts: parts)
    journal?.ended(record)
    for observer in observers { observer.ended(record) }
  }
}
