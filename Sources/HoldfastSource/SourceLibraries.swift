internal import CPostgres
package import HoldfastModel

/// The libraries with which servers are reached. SQLite's files are read without its library.
package enum SourceLibraries {
  package static var versions: [LibraryVersion] {
    [LibraryVersion("libpq", holdfast_libpq_load().map { number($0.pointee.version()) })]
  }

  /// `150010` is 15.10 (PQlibVersion).
  private static func number(_ version: Int32) -> String { "\(version / 10_000).\(version % 10_000)" }
}
