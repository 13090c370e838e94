internal import HoldfastModel
internal import HoldfastSystem

/// The programs of PostgreSQL on this machine, for one major version.
struct PostgresPrograms {
  /// The major version.
  let version: Int
  let server: Path
  /// `nil` if it is not installed.
  let amcheck: Path?

  /// - Parameters:
  ///   - version: the contents of `PG_VERSION`, such as 15.
  ///   - places: directories with the programs of a version, which they have as `VERSION`.
  init(version: String, in places: [String], files: FileSystem) throws {
    let directories = places.map { Path($0.replacing("VERSION", with: version)) }
    func program(_ name: String, in directory: Path) -> Path? {
      let path = directory.appending(name)
      return (try? files.status(of: path, followLink: true))?.kind == .file ? path : nil
    }
    guard let number = Int(version), let directory = directories.first(where: { program("postgres", in: $0) != nil }),
      let server = program("postgres", in: directory)
    else {
      throw EngineError(
        .machine, "PostgreSQL \(Path(version)) is not installed, and the restored cluster cannot be opened",
        hint: "Install its server (Debian: apt-get install postgresql-\(Path(version))), or drill on another machine.")
    }
    (self.version, self.server) = (number, server)
    amcheck = program("pg_amcheck", in: directory)
  }
}
