internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Notes what a file of the log holds while it passes by on its way into the archive. Whatever it does not understand costs the notes, never the file.
final class WALSurvey {
  private var parser: WALParser?
  private let notes = Notes()
  private let isPartial: Bool

  /// What the parser has told so far.
  final class Notes {
    private var transactions: UInt64 = 0
    private var latest: Int64?
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
      case .transactionEnd(_, let time):
        transactions += 1
        latest = max(latest ?? .min, time.microseconds)
      case .restorePoint(let place, let time, let name):
        guard points.count < pointsMax else { return isOverfull = true }
        points.append(
          WALFacts.RestorePoint(name: Path(bytes: name).description, place: place, time: time.microseconds))
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

  /// What a file holds, and whether the server was still writing into it.
  static func result(
    of source: WALSourceFile, _ cancellation: Cancellation
  ) throws -> (
    log: WALFacts.Log?, isUnfinished: Bool
  ) {
    let survey = WALSurvey(source)
    if survey.parser != nil { try source.read(cancellation) { survey.add($0) } }
    let isUnfinished = try survey.isUnfinished(source)
    return (survey.facts(isUnfinished: isUnfinished), isUnfinished)
  }

  /// `nil` where the file holds no log, or it was not understood to its end.
  private func facts(isUnfinished: Bool) -> WALFacts.Log? {
    guard let parser, isPartial || isUnfinished || parser.stop == nil, !notes.isOverfull else { return nil }
    return notes.facts(parser)
  }

  /// Records that end in the middle are damage, or ones that are not understood, where the pages of the segment go on behind them.
  private func isUnfinished(_ source: WALSourceFile) throws -> Bool {
    guard source.name.kind == .segment, let segment = source.segment, let number = source.name.number(segment.size),
      let stop = parser?.stop, stop > segment.size.start(of: number)
    else { return false }
    let lastPage = segment.size.start(of: number).value + segment.size.bytes - UInt64(segment.pageSize)
    return try stop.value >= lastPage || !source.hasLastPage(segment, number)
  }
}
