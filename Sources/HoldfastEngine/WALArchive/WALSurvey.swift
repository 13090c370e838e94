internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Records the facts about a WAL file while it is being archived. A file that it does not understand is archived
/// without facts.
final class WALSurvey {
  private var parser: WALParser?
  private let notes = Notes()
  private let isPartial: Bool

  /// The facts that the parser has found so far.
  final class Notes {
    private var transactions: UInt64 = 0
    private var latest: Timestamp?
    private var points: [WALFacts.RestorePoint] = []
    private var demands = WALDemands()
    private(set) var isOverfull = false
    private let pointsMax: Int
    private let demandsMax: Int

    init(pointsMax: Int = WALFacts.restorePointsMax, demandsMax: Int = WALDemands.countMax) {
      (self.pointsMax, self.demandsMax) = (pointsMax, demandsMax)
    }

    func add(_ event: WALEvent) {
      switch event {
      case .transactionEnd(_, let time, _):
        transactions += 1
        latest = latest.map { max($0, time) } ?? time
      case .restorePoint(let lsn, let time, let name):
        guard points.count < pointsMax else { return isOverfull = true }
        points.append(
          WALFacts.RestorePoint(name: Path(bytes: name).description, lsn: lsn, time: time))
      }
    }

    func add(_ demand: WALDemand) {
      guard max(demands.tablespaces.count, demands.parameters.count) < demandsMax else { return isOverfull = true }
      demands.add(demand)
    }

    func facts(_ parser: WALParser) -> WALFacts.Log {
      demands.isOpen = parser.mayDemand
      return WALFacts.Log(
        end: parser.end, lastRecord: parser.lastRecord, openRecord: parser.openRecord, transactions: transactions,
        latest: latest, restorePoints: points, demands: demands)
    }
  }

  init(_ source: WALSourceFile) {
    isPartial = source.name.kind == .partialSegment
    guard let segment = source.segment, let number = source.name.number(segment.size) else { return }
    parser = WALParser(segment, from: segment.size.start(of: number), onDemand: { [notes] in notes.add($0) }) {
      [notes] in notes.add($0)
    }
  }

  func add(_ bytes: UnsafeRawBufferPointer) { parser?.parse(bytes) }

  /// The result for one file.
  struct Result {
    /// The facts; `nil` for a file without log, one that was not understood to its end, or one with too many facts.
    let log: WALFacts.Log?
    /// True if the server was still writing to it.
    let isUnfinished: Bool
    /// The end of its last complete record.
    let end: LogSequenceNumber
    /// The position at which its records become invalid although its pages go on: the file is damaged. `nil` if it is
    /// not, or if no record was understood.
    let damage: LogSequenceNumber?
  }

  static func result(of source: WALSourceFile, _ cancellation: Cancellation) throws -> Result {
    let survey = WALSurvey(source)
    if survey.parser != nil { try source.read(cancellation) { survey.add($0) } }
    let isUnfinished = try survey.isUnfinished(source)
    let damage = survey.isPartial || isUnfinished ? nil : survey.stop(source)
    return Result(
      log: survey.facts(isUnfinished: isUnfinished), isUnfinished: isUnfinished,
      end: survey.parser?.end ?? LogSequenceNumber(0), damage: damage)
  }

  /// Returns the position at which its records end; `nil` if none was understood, or all were.
  private func stop(_ source: WALSourceFile) -> LogSequenceNumber? {
    guard let segment = source.segment, let number = source.name.number(segment.size), let stop = parser?.stop,
      stop > segment.size.start(of: number)
    else { return nil }
    return stop
  }

  /// Returns the facts; `nil` for a file without log, one that was not understood to its end, or one with too many
  /// facts.
  private func facts(isUnfinished: Bool) -> WALFacts.Log? {
    guard let parser, isPartial || isUnfinished || parser.stop == nil, !notes.isOverfull else { return nil }
    return notes.facts(parser)
  }

  /// Returns true if the segment is unfinished. A segment whose records end in the middle while its pages go on is
  /// damaged instead, or not understood.
  private func isUnfinished(_ source: WALSourceFile) throws -> Bool {
    guard source.name.kind == .segment, let segment = source.segment, let number = source.name.number(segment.size),
      let stop = stop(source)
    else { return false }
    let lastPage = segment.size.start(of: number).value + segment.size.bytes - UInt64(segment.pageSize)
    return try stop.value >= lastPage || !source.hasLastPage(segment, number)
  }
}
