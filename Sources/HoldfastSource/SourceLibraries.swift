internal import CPostgres
package import HoldfastModel

/// The libraries through which servers are reached. SQLite's files are read without its library.
package enum SourceLibraries {
  package static var versions: [LibraryVersion] {
    [LibraryVersion("libpq", holdfast_libpq_load().map { number($0.pointee.version()) })]
  }

  /// Returns a version as text: 15.10 for `150010` (PQlibVersion).
  private static func number(_ version: Int32) -> String { "\(version / 10_000).\(version % 10_000)" }
}
