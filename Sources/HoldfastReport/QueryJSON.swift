package import HoldfastArchive
package import HoldfastModel
package import HoldfastQuery
package import HoldfastSystem

/// The answer of `query --json`. Its rows are streamed, one on a line, between a head and a tail.
package enum QueryJSON {
  private struct Head: Encodable {
    let schema = JSONSchema.version
    let snapshot: SnapshotReferenceJSON
    let database: String
    let columns: [String]
  }

  private struct Tail: Encodable {
    let framesRead: UInt64
    let bytesFetched: UInt64
    let bodyBytes: UInt64
  }

  /// Returns the text before the first row.
  package static func head(_ snapshot: Snapshot, _ path: Path, columns: [String]) throws -> String {
    let head = Head(snapshot: SnapshotReferenceJSON(snapshot), database: path.description, columns: columns)
    return try JSONText.line(head).dropLast() + #","rows":["#
  }

  /// Returns the text after the last row.
  package static func tail(_ figures: SnapshotDatabase.Figures, _ counts: Traffic.Counts) throws -> String {
    let tail = Tail(
      framesRead: figures.framesRead, bytesFetched: figures.bytesFetched, bodyBytes: figures.bodyBytes)
    return try "]," + JSONText.line(WithTransfer(tail, counts)).dropFirst()
  }

  /// Returns the text after the last row if an error ends the rows.
  package static func tail(failure: any OperatorError) throws -> String {
    struct Tail: Encodable { let error: ErrorJSON.Failure }
    let tail = Tail(error: ErrorJSON(failure, failure.exitStatus).error)
    return try "]," + JSONText.line(tail).dropFirst()
  }
}

/// The version of an envelope in JSON.
enum JSONSchema {
  static let version = 1
}

/// A snapshot by which others are named in JSON.
struct SnapshotReferenceJSON: Encodable {
  let id: String
  let sequence: UInt64
  let source: String
  /// The time at which it was begun.
  let time: String

  init(_ snapshot: Snapshot) {
    (id, sequence) = (snapshot.id.description, snapshot.sequence)
    (source, time) = (snapshot.sourceName.text, snapshot.envelope.time.started.description)
  }
}
