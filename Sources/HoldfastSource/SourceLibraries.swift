internal import CPostgres
internal import CSQLite
package import HoldfastModel

/// Of databases: the SQLite of this machine, which programs most likely have as well, and what a server is reached by.
package enum SourceLibraries {
  package static var versions: [LibraryVersion] {
    [
      LibraryVersion("SQLite", String(cString: sqlite3_libversion())),
      LibraryVersion("libpq", holdfast_libpq_load().map { number($0.pointee.version()) }),
    ]
  }

  /// `150010` is 15.10 (PQlibVersion).
  private static func number(_ version: Int32) -> String { "\(version / 10_000).\(version % 10_000)" }
}
