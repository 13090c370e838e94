internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The role of a restored cluster as which the assertions of the site are asked. It may read everything, and do nothing
/// else that the cluster does not allow to every role. It exists in the restored copy only.
struct ReadingRole {
  /// The first major version of PostgreSQL with a role that may read everything.
  private static let versionMin = 14
  /// Nobody can have made a role of this name before: the cluster may be hostile.
  let name: String

  init(version: Int, random: Randomness) throws {
    guard version >= Self.versionMin else {
      throw EngineError(
        .usage,
        "assertions of a drill need PostgreSQL \(Self.versionMin) or newer, and the restored cluster is of version \(version)",
        hint: "Drill without assertions: its databases are opened and checked all the same.")
    }
    name = "holdfast_drill_" + Hex.encode(random.bytes(8))
  }

  /// The statements that make it, for a session that preloads no libraries. Its own settings go before those that the
  /// cluster keeps for its databases, and it may not change `session_preload_libraries` by itself.
  var statements: [String] {
    // PostgreSQL cannot be told to set a list of libraries to nothing in another way (its source, GUC_LIST_QUOTE).
    let settings = [
      "session_preload_libraries FROM CURRENT", "local_preload_libraries FROM CURRENT",
      "default_transaction_read_only = on", "lc_messages = 'C'", "timezone = 'UTC'", "datestyle = 'ISO'",
    ]
    return [
      "CREATE ROLE \(name) LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION BYPASSRLS INHERIT IN ROLE pg_read_all_data"
    ] + settings.map { "ALTER ROLE \(name) SET \($0)" }
  }

  /// Returns the statement that lets it into a database, which may not be open to every role.
  func admission(to database: String) -> String {
    "GRANT CONNECT ON DATABASE \"\(database.escaping(["\"": "\"\""]))\" TO \(name)"
  }
}
