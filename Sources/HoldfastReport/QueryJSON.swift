package import HoldfastArchive
package import HoldfastModel
package import HoldfastQuery
package import HoldfastSystem

/// The answer of `query --json`. Its rows are streamed, one on a line, between a head and a tail.
package enum QueryJSON {
  private struct Head: Encodable {
    let snapshot: SnapshotReferenceJSON
    let database: String
    let columns: [String]
  }

  private struct Tail: Encodable {
    let readFrames: UInt64
    let readBytes: UInt64
    let bodyBytes: UInt64
  }

  /// Returns the text before the first row.
  package static func head(_ snapshot: Snapshot, _ path: Path, columns: [String]) throws -> String {
    let head = Head(snapshot: SnapshotReferenceJSON(snapshot), database: path.description, columns: columns)
    return try JSONText.opening(head, array: "rows")
  }

  /// Returns the text after the last row.
  package static func tail(
    _ figures: SnapshotDatabase.Figures, _ counts: Traffic.Counts, isEmpty: Bool
  ) throws -> String {
    let tail = Tail(
      readFrames: figures.framesRead, readBytes: figures.bytesFetched, bodyBytes: figures.bodyBytes)
    return try JSONText.closing(WithTransfer(tail, counts), isEmpty: isEmpty)
  }
}

/// A snapshot that a result names, without what it contains.
package struct SnapshotReferenceJSON: Encodable {
  let id: String
  let sequence: UInt64
  let source: String
  /// The time at which it was begun.
  let time: String

  package init(_ snapshot: Snapshot) {
    (id, sequence) = (snapshot.id.description, snapshot.sequence)
    (source, time) = (snapshot.sourceName.text, snapshot.envelope.time.started.description)
  }
}
