internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource

/// Notes what a file of the log holds while it passes by on its way into the archive. Whatever it does not understand costs the notes, never the file.
final class WALSurvey {
  private var parser: WALParser?
  private let notes = Notes()
  private let isPartial: Bool

  /// What the parser has told so far.
  private final class Notes {
    var transactions: UInt64 = 0
    var latest: Int64?
    var points: [WALFacts.RestorePoint] = []
    var isOverfull = false

    func add(_ event: WALEvent) {
      switch event {
      case .transactionEnd(_, let time):
        transactions += 1
        latest = max(latest ?? .min, time.microseconds)
      case .restorePoint(let place, let time, let name):
        guard points.count < WALFacts.restorePointsMax else { return isOverfull = true }
        points.append(
          WALFacts.RestorePoint(name: Path(bytes: name).description, place: place, time: time.microseconds))
      }
    }
  }

  init(_ source: WALSourceFile) {
    isPartial = source.name.kind == .partialSegment
    guard let segment = source.segment, let number = source.name.number(segment.size) else { return }
    let notes = notes
    parser = WALParser(segment, from: segment.size.start(of: number)) { notes.add($0) }
  }

  func add(_ bytes: UnsafeRawBufferPointer) { parser?.parse(bytes) }

  /// `nil` where the file holds no log, or it was not understood to its end.
  func facts() -> WALFacts.Log? {
    guard let parser, isPartial || parser.stop == nil, !notes.isOverfull else { return nil }
    return WALFacts.Log(
      end: parser.end, lastRecord: parser.lastRecord, isOpen: parser.openRecord != nil,
      transactions: notes.transactions, latest: notes.latest, restorePoints: notes.points)
  }
}
