internal import HoldfastModel
package import HoldfastSystem

/// Configuration files that a server keeps outside of its data directory (as on Debian), and without which it does not
/// start. Their contents come from the server. The paths are not opened from here, because anyone who may write to the
/// cluster can name any path.
package struct ServerConfiguration {
  /// The contents by file name in the data directory.
  package private(set) var files: [String: [UInt8]] = [:]
  package private(set) var notes: [String] = []
  package private(set) var warnings: [String] = []

  /// The files, with the settings that name their paths.
  private static let names = [
    "postgresql.conf": "config_file", "pg_hba.conf": "hba_file", "pg_ident.conf": "ident_file",
  ]
  /// Settings with paths, which are valid only for the original.
  private static let places = ["data_directory", "config_file", "hba_file", "ident_file", "external_pid_file"]

  package init(
    of cluster: PostgresCluster, _ connection: PostgresConnection, in root: OpenFile, files: FileSystem
  ) throws {
    var missing: [String] = []
    for name in Self.names.keys.sorted() {
      // A link does not count, because it would lead nowhere after a restore.
      let isThere = try files.statusIfPresent(of: cluster.root.appending(name), in: root)?.kind == .file
      if !isThere { missing.append(name) } else { warnings += Self.warning(of: name, connection) }
    }
    guard !missing.isEmpty else { return }
    let list = missing.joined(separator: ", ")
    do {
      var known: [String] = []
      for name in missing {
        let setting = Self.names[name] ?? ""
        known.append(try connection.value("SELECT current_setting($1)", [setting]))
        self.files[name] =
          name == "postgresql.conf"
          ? try Self.settings(connection, from: known.last ?? "")
          : try connection.bytes("SELECT pg_read_file(current_setting($1))", [setting])
      }
      notes.append(
        "the cluster has its configuration elsewhere (\(known.joined(separator: ", "))): the snapshot has \(list) as the server tells it, so that what is restored starts by itself; back up the originals as well"
      )
    } catch let failure as PostgresFailure {
      self.files = [:]
      warnings.append(
        "the configuration of the cluster (\(list)) lies outside of its data directory, and is not in the snapshot (\(failure.message)): back it up as well, or let the role of --postgres read it (GRANT pg_read_all_settings, pg_read_server_files; GRANT EXECUTE ON FUNCTION pg_read_file(text))"
      )
    }
  }

  /// Returns a warning if the data directory contains a file of this name, but the server reads another one.
  private static func warning(of name: String, _ connection: PostgresConnection) -> [String] {
    guard let setting = names[name],
      // If the role may not see the paths, there is no warning.
      let place = try? connection.value("SELECT current_setting($1)", [setting]),
      let home = try? connection.value("SELECT current_setting('data_directory')"),
      Path(place) != Path(home).appending(name)
    else { return [] }
    return [
      "the server reads its \(name) from \(Path(place)), as \(setting) says, and so does the server of a copy: it is not in the snapshot, back it up as well"
    ]
  }

  /// Returns the settings in effect as one file, because the original may include others.
  private static func settings(_ connection: PostgresConnection, from place: String) throws -> [UInt8] {
    let excluded = places.map { "'\($0)'" }.joined(separator: ", ")
    let rows = try connection.query(
      """
      SELECT name, setting FROM pg_settings
      WHERE source = 'configuration file' AND sourcefile NOT LIKE '%/postgresql.auto.conf' AND name NOT IN (\(excluded))
      ORDER BY name
      """)
    let head = "# What counted of \(Path(place)) when holdfast took this snapshot, but for the places of files.\n"
    return Array(head.utf8)
      + rows.flatMap { row in
        guard row.count == 2, let name = row[0], let value = row[1] else { return [UInt8]() }
        return name + Array(" = '".utf8) + value.flatMap(quoted) + Array("'\n".utf8)
      }
  }

  /// Returns a byte within single quotes, as PostgreSQL's configuration needs it.
  private static func quoted(_ byte: UInt8) -> [UInt8] {
    switch byte {
    case UInt8(ascii: "'"): Array("''".utf8)
    case UInt8(ascii: "\\"): Array("\\\\".utf8)
    case UInt8(ascii: "\n"): Array("\\n".utf8)
    default: [byte]
    }
  }
}
