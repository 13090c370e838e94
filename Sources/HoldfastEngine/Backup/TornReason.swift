internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Why a file is torn: the pages of its plain copy may be of different moments.
enum TornReason: Hashable, Sendable {
  /// It changed each time it was read.
  case changed
  /// An SQLite database that others may be writing to, and that SQLite could not open.
  case sqliteRefused(why: String)
  /// What looks like an SQLite database that is encrypted and in use: only the program that has its key can read it.
  case encryptedSQLite
  /// It became an SQLite database while the backup ran, and could not be captured as one.
  case sqliteMadeMeanwhile
  /// It belongs to a database of another kind, which a process has open; `nil` where the process cannot be told.
  case otherDatabaseInUse(OtherDatabase.Kind, FileHolder?)
  /// It looks like a PostgreSQL cluster and cannot be understood as one.
  case unsoundCluster(finding: String)

  /// As a report gives it with the path of the file.
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

  /// What is said of an SQLite database that is captured as a plain file, torn or not.
  static func sqliteNotOpened(_ why: String) -> String { "it is an SQLite database that could not be opened (\(why))" }

  private static let plainCopy = "a plain copy may be of different moments"
}

/// The files that are called torn however still they hold while they are read, because others may be writing to them in
/// ways that their metadata does not tell.
struct TornFiles {
  private var reasons: [Path: TornReason] = [:]

  /// Calls a file torn. A later reason takes the place of an earlier one.
  mutating func add(_ path: Path, _ reason: TornReason) { reasons[path] = reason }

  func contains(_ path: Path) -> Bool { reasons[path] != nil }

  /// Why a file of class `torn` is that: what is not called so changed each time it was read.
  func reason(of path: Path) -> TornReason { reasons[path] ?? .changed }

  /// The class that a file gets after it was read.
  func consistency(of path: Path, after verdict: CaptureVerdict) -> ConsistencyClass {
    guard case .whole(let consistency) = verdict, !contains(path) else { return .torn }
    return consistency
  }
}
