internal import CQuery
package import HoldfastModel

/// The library that runs SQL. It is loaded when the first query needs it.
package enum QueryLibrary {
  package static var versions: [LibraryVersion] {
    [LibraryVersion("libsqlite3", holdfast_sqlite_load().flatMap { $0.pointee.version() }.map { String(cString: $0) })]
  }

  static func load() throws(QueryError) -> holdfast_sqlite {
    guard let functions = holdfast_sqlite_load() else { throw .noLibrary }
    return functions.pointee
  }
}
