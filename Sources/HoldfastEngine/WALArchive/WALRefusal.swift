internal import HoldfastModel
internal import HoldfastSource

/// The errors that refuse a file beside the archived copies: the reason, and what to do about it.
struct WALRefusal {
  private let archived: SourceName
  private let file: WALSourceFile
  private let found: WALSurvey.Result

  /// - Parameter archived: the source for which the other file is archived.
  init(_ archived: SourceName, _ file: WALSourceFile, _ found: WALSurvey.Result) {
    (self.archived, self.file, self.found) = (archived, file, found)
  }

  private static let ownName = "Two servers may be archiving under one name: give each a --name of its own"

  var otherContents: EngineError {
    let message = "\(file.name) is archived already for \(archived), with other contents"
    guard let damage = found.damage else {
      return EngineError(.usage, message, hint: "Nothing was stored. \(Self.ownName), and take a full of it.")
    }
    return EngineError(
      .machine, message + "; the records of this file end at \(damage), before its pages do: it is damaged",
      hint: "Nothing was stored. " + fetching(file.name))
  }

  /// - Parameter segment: the archived segment.
  func whole(_ segment: WALFileName) -> EngineError {
    EngineError(
      .usage,
      "\(segment) is archived already for \(archived), whole\(whereItEnds), and the records of this file end at \(found.end), before it does",
      hint: "Nothing was stored, and nothing of it is missing in the archive. " + fetching(segment))
  }

  private var whereItEnds: String {
    guard let size = file.segment?.size, let number = file.name.number(size) else { return "" }
    return " up to \(size.start(of: number &+ 1))"
  }

  private func fetching(_ segment: WALFileName) -> String {
    "Where its server still needs it, `holdfast wal fetch \(segment) pg_wal/\(segment) --name \(archived)` in the data directory, as the server's user, puts back what is archived."
  }

  /// - Parameter end: the end of the archived records.
  func otherBeginning(_ end: LogSequenceNumber) -> EngineError {
    EngineError(
      .usage,
      "\(file.name) does not begin as what was archived of it for \(archived) while it was unfinished: the records of that end at \(end), those of this file at \(found.end), and they differ before",
      hint:
        "Nothing was stored. \(Self.ownName). If this file is the right one, say --replace-unfinished once: then it counts, and the other one does not."
    )
  }

  var unreadable: EngineError {
    EngineError(
      .usage,
      "\(file.name) is archived already for \(archived), by another writer, and this machine cannot open it to compare",
      hint:
        "Run the same push once with --identity FILE, as the same user: what is the same is then archived for this writer too. Or give this server a --name of its own."
    )
  }
}
