internal import HoldfastModel

/// The checks that every SQLite database must pass.
struct SQLiteChecks {
  private static let findingsMax = 20
  let name: Path
  let connection: SQLiteConnection

  /// - Throws: `DrillFailure` with the first fault.
  func run() throws {
    let found = try connection.rows("PRAGMA integrity_check(\(Self.findingsMax))").compactMap { $0.first ?? nil }
    if found != ["ok"] {
      let first = found.first.map { Path($0).description } ?? "it answers nothing"
      throw DrillFailure(
        "\(name) does not pass SQLite's integrity_check: \(first)" + Self.more(found.count),
        hint: "Find the newest snapshot in which it is sound, by a drill of older ones: --snapshot ID.")
    }
    let orphans = try connection.rows("PRAGMA foreign_key_check", max: Self.findingsMax)
    guard let orphan = orphans.first else { return }
    let table = Path(orphan.first.flatMap(\.self) ?? "?")
    let parent = Path(orphan.dropFirst(2).first.flatMap(\.self) ?? "?")
    throw DrillFailure(
      "\(name) does not pass SQLite's foreign_key_check: a row of \(table) refers to one of \(parent) that is not there"
        + Self.more(orphans.count))
  }

  private static func more(_ count: Int) -> String {
    count <= 1 ? "" : count < findingsMax ? " (and \(count - 1) more)" : " (and at least \(count - 1) more)"
  }
}
