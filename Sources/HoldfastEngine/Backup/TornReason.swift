internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The reason for which a file is torn: the pages of its copy may be from different moments.
enum TornReason: Hashable, Sendable {
  /// The file changed each time it was read.
  case changed
  /// An SQLite database that others may be writing to, and that SQLite could not open.
  case sqliteRefused(why: String)
  /// The file looks like an SQLite database that is encrypted and in use. Only the program with the key can read it.
  case encryptedSQLite
  /// The file became an SQLite database during the backup, and could not be captured as one.
  case sqliteMadeMeanwhile
  /// The file belongs to a database of another kind that a process has open; `nil` if the process is not known.
  case otherDatabaseInUse(OtherDatabase.Kind, FileHolder?)
  /// The file looks like part of a PostgreSQL cluster that is not sound.
  case unsoundCluster(finding: String)

  /// The text that reports print after the path.
  var text: String {
    switch self {
    case .changed: "it changed each time it was read; its pages may be of different moments"
    case .sqliteRefused(let why): "\(Self.sqliteNotOpened(why)): \(Self.plainCopy)"
    case .encryptedSQLite:
      "it looks like an encrypted SQLite database in use: \(Self.plainCopy); let the program that has its key write a copy, with --from-command or --before"
    case .sqliteMadeMeanwhile: "it is an SQLite database that was made while the backup ran"
    case .otherDatabaseInUse(let kind, let holder):
      "it is part of \(kind.name) that \(holder.map { "\($0)" } ?? "") has open: \(Self.plainCopy)"
    case .unsoundCluster(let finding):
      "\(finding): it is captured as plain files, and no server may start on them"
    }
  }

  /// The warning for an SQLite database that is captured as a plain file, torn or not.
  static func sqliteNotOpened(_ why: String) -> String { "it is an SQLite database that could not be opened (\(why))" }

  private static let plainCopy = "a plain copy may be of different moments"
}

/// The files that are torn even if they do not change while they are read: other programs may write to them in ways
/// that the metadata does not show.
struct TornFiles {
  private var reasons: [Path: TornReason] = [:]

  /// Marks a file as torn. A later reason replaces an earlier one.
  mutating func add(_ path: Path, _ reason: TornReason) { reasons[path] = reason }

  func contains(_ path: Path) -> Bool { reasons[path] != nil }

  var isEmpty: Bool { reasons.isEmpty }

  /// Returns the reason for which a file of class `torn` is torn. A file that was not added changed each time it was
  /// read.
  func reason(of path: Path) -> TornReason { reasons[path] ?? .changed }

  /// Returns the consistency class of a file after it was read.
  func consistency(of path: Path, after verdict: CaptureVerdict) -> ConsistencyClass {
    guard case .whole(let consistency) = verdict, !contains(path) else { return .torn }
    return consistency
  }
}
