package import HoldfastArchive
internal import HoldfastEngine
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// Finds the last snapshot of a source in which a database passes a test, and the first after it in which it does not.
package struct Bisect {
  package enum Test: Sendable {
    /// An SQL statement. It holds if the first column of the first row is neither 0 nor NULL.
    case assertion(String, timeout: TimeSpan?)
    /// A shell command that gets the path of a restored copy in `HOLDFAST_DATABASE`. Exit status 0 says that it holds,
    /// 125 that the snapshot says nothing, others up to 124 that it does not hold.
    case command(String)
  }

  /// A snapshot that was examined, and its answer.
  package struct Examined: Sendable {
    package let snapshot: Snapshot
    package let answer: BisectAnswer
  }

  package enum Outcome: Sendable {
    case holds(Snapshot)
    case found(holding: Snapshot, failing: Examined)
    case nowhere
  }

  package struct Report: Sendable {
    package let path: Path
    package let outcome: Outcome
    /// The number of snapshots that the source has.
    package let count: Int
    package let isLinear: Bool
    /// The snapshots that were examined, the oldest first.
    package let examined: [Examined]
    /// The first damage that kept a snapshot from being examined.
    package let damage: (any OperatorError)?
    /// The paths of the database in the last snapshot in which it holds: its own, and those of a WAL or a journal
    /// beside it.
    package let holdingPaths: [Path]
    /// The frames that were fetched for an assertion, and their stored bytes.
    package let framesRead: UInt64
    package let bytesFetched: UInt64

    /// The neighbours among the examined snapshots, apart from those that were skipped, that do not answer alike.
    package var changes: [(before: Examined, after: Examined)] {
      let told = examined.filter { !$0.answer.isSkipped }
      return zip(told, told.dropFirst()).filter { $0.answer.kind != $1.answer.kind }.map { ($0, $1) }
    }

    /// A snapshot that could not be examined because it is damaged is not passed over in silence.
    package var exitStatus: ExitStatus {
      let found: ExitStatus = if case .nowhere = outcome { .failed } else { .done }
      return ExitStatus.worst(of: [found, damage?.exitStatus ?? .done])
    }
  }

  private static let skipStatus: Int32 = 125
  private let repository: Repository
  private let snapshots: [Snapshot]
  private let path: Path
  private let test: Test
  private let onAnswer: (Examined) -> Void

  /// - Parameters:
  ///   - snapshots: all of one source, in any order.
  ///   - path: the path of the database in them.
  ///   - onAnswer: gets each answer as soon as it is known.
  package init(
    _ path: Path, by test: Test, in snapshots: [Snapshot], of repository: Repository,
    onAnswer: @escaping (Examined) -> Void = { _ in }
  ) {
    (self.path, self.test, self.repository, self.onAnswer) = (path, test, repository, onAnswer)
    self.snapshots = snapshots.sorted(by: Snapshot.isOlder)
  }

  /// - Parameter isLinear: true to examine every snapshot.
  package func run(isLinear: Bool) throws -> Report {
    var (damage, frames, bytes): ((any OperatorError)?, UInt64, UInt64) = (nil, 0, 0)
    var search = BisectSearch(count: snapshots.count) { index in
      try repository.host.cancellation.check()
      let snapshot = snapshots[index]
      let answer: BisectAnswer
      do {
        answer = try self.answer(of: snapshot) {
          frames += $0.framesRead
          bytes += $0.bytesFetched
        }
      } catch let error as any OperatorError where error.isDamage {
        damage = damage ?? error
        answer = .skipped(error.message)
      }
      onAnswer(Examined(snapshot: snapshot, answer: answer))
      return answer
    }
    let found = try isLinear ? search.linear() : search.binary()
    func examined(_ index: Int) -> Examined {
      Examined(snapshot: snapshots[index], answer: search.answers[index] ?? .fails)
    }
    let outcome: Outcome =
      switch found {
      case .holds(let index): .holds(snapshots[index])
      case .found(let holding, let failing): .found(holding: snapshots[holding], failing: examined(failing))
      case .nowhere: .nowhere
      }
    let holding: Snapshot? =
      switch outcome {
      case .holds(let snapshot): snapshot
      case .found(let holding, _): holding
      case .nowhere: nil
      }
    let files = try holding.map { try SnapshotFiles(of: $0, in: repository) }
    return Report(
      path: path, outcome: outcome, count: snapshots.count, isLinear: isLinear,
      examined: search.answers.keys.sorted().map(examined), damage: damage,
      holdingPaths: try files.map { try ScratchDatabase.paths(of: path, in: $0) } ?? [], framesRead: frames,
      bytesFetched: bytes)
  }

  private func answer(
    of snapshot: Snapshot, onFigures: (SnapshotDatabase.Figures) -> Void
  ) throws -> BisectAnswer {
    let files = try SnapshotFiles(of: snapshot, in: repository)
    do {
      guard let file = try files.fileIfPresent(at: path) else {
        return .unanswerable("the snapshot has no \(path)")
      }
      // Its pages may be from different moments.
      guard file.content.consistency.isComplete else {
        return .skipped("\(path): \(file.content.consistency.name) when the snapshot was taken")
      }
      switch test {
      case .assertion(let sql, let timeout): return try ask(sql, timeout, files, onFigures)
      case .command(let text): return try run(text, files)
      }
    } catch let error as EngineError where error.exitStatus == .incomplete {
      return .skipped(error.message)
    }
  }

  private func ask(
    _ sql: String, _ timeout: TimeSpan?, _ files: SnapshotFiles, _ onFigures: (SnapshotDatabase.Figures) -> Void
  ) throws -> BisectAnswer {
    do {
      let database = try SnapshotDatabase(path, in: files, of: repository)
      defer { onFigures(database.figures) }
      return try database.firstValue(sql, timeout: timeout)?.holds == true ? .holds : .fails
    } catch let error as QueryError {
      switch error {
      case .notUnderstood, .stopped, .notADatabase, .malformed: return .unanswerable(error.message)
      case .unfinished: return .skipped(error.message)
      default: throw error
      }
    }
  }

  private func run(_ text: String, _ files: SnapshotFiles) throws -> BisectAnswer {
    try ScratchDatabase.with(path, of: files, on: repository.host) { copy in
      let command = ShellCommand(text, environment: ["HOLDFAST_DATABASE": copy])
      switch try command.exitStatus(repository.host.cancellation) {
      case 0: return .holds
      case Self.skipStatus: return .skipped("the command ended with exit status \(Self.skipStatus)")
      case 1..<Self.skipStatus: return .fails
      case let status:
        throw EngineError(
          .usage, "the command of --test ended with exit status \(status), which is no answer",
          hint: "126 and 127 mean that it could not be run. Try it by itself: \(text)")
      }
    }
  }
}

extension BisectAnswer {
  /// The answer without its reason, as JSON and people have it.
  package var kind: String {
    switch self {
    case .holds: "holds"
    case .fails: "fails"
    case .unanswerable: "unanswerable"
    case .skipped: "skipped"
    }
  }
}
