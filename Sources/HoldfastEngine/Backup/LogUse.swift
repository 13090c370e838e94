internal import HoldfastModel

/// An account of what an increment of a live cluster took from the log of its server.
package struct LogUse: Sendable, Hashable {
  /// The reason why changed files were read whole; `nil` if only the pages were read that the log names.
  package var refusal: String?
  /// The length of the log since the parent, in bytes.
  package var logBytes: UInt64 = 0
  /// The segments that were read where the server has them, and those that were read in the repository.
  package var serverSegments: UInt64 = 0
  package var archivedSegments: UInt64 = 0
  /// The pages of changed files that were read because the log names them, because they were zeros, or because they are
  /// the first of a relation.
  package var namedPages: UInt64 = 0
  /// The pages of changed files that were read although the log does not name them.
  package var sampledPages: UInt64 = 0
  /// Those among them that differed, as hints and the pages of an index that is being built may.
  package var differentPages: UInt64 = 0
  /// The pages of changed files that count as they are in the parent, and were not read.
  package var keptPages: UInt64 = 0

  init(refusal: String? = nil) { self.refusal = refusal }

  /// The text that a report shows.
  package var summary: String {
    if let refusal { return "read the changed files of its PostgreSQL cluster whole: \(refusal)" }
    return
      "read \(Amount.count(namedPages, "page")) that the log of its PostgreSQL server names, and \(sampledPages) of \(keptPages + sampledPages) others as a sample"
  }
}

/// The finding that a page has changed since the parent although the log does not name it.
struct LogDoubt: OperatorError, Equatable {
  let path: Path
  let page: UInt64
  let lsn: LogSequenceNumber

  var message: String {
    "page \(page) of \(path) (LSN \(lsn)) has changed since the parent, and the log of the server does not name it"
  }
  var hint: String? { nil }
  var exitStatus: ExitStatus { .failed }
  var scope: ErrorScope { .machine }
}
