import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The least of a data directory that is taken for a PostgreSQL cluster: the control file of a real one, and the
/// directories that a test wants.
struct ClusterSkeleton {
  let directory = TemporaryDirectory()
  let files: FileSystem
  /// Of the source that holds the cluster.
  let source: OpenFile
  /// Where the cluster lies in the source; empty where it is the source itself.
  let place: Path

  /// `initdb` takes a second: one control file does for all tests.
  private static let control: [UInt8]? = {
    guard let cluster = try? TestCluster() else { return nil }
    return TestFiles.read(cluster.data.appending("global/pg_control"))
  }()

  init(at place: String = "", probe: (any OperationProbe)? = nil) throws {
    files = FileSystem(probe: probe)
    self.place = Path(place)
    source = try files.open(directory.path, .directory)
    for name in ["", "base", "base/1", "global", "pg_tblspc", "pg_wal"] { makeDirectory(name) }
    write("PG_VERSION", "15\n")
    TestFiles.write(try #require(Self.control, "a cluster cannot be made"), to: path("global/pg_control"))
  }

  /// A name of the cluster as the machine knows it.
  func path(_ name: String) -> Path {
    name.isEmpty ? directory.path.appending(place.bytes) : directory.path.appending(place.bytes).appending(name)
  }

  /// A name of the cluster as the source knows it.
  func inSource(_ name: String) -> Path { place.isEmpty ? Path(name) : place.appending(name) }

  func makeDirectory(_ name: String) { TestFiles.makeDirectory(path(name)) }

  func write(_ name: String, _ text: String = "x") { TestFiles.write(text, to: path(name)) }

  /// A tablespace elsewhere, with one database.
  func makeTablespace(_ name: String, at location: Path) {
    for part in [location, location.appending("PG_15_202209061"), location.appending("PG_15_202209061/1")] {
      TestFiles.makeDirectory(part)
    }
    TestFiles.symbolicLink(location.text, at: path("pg_tblspc/\(name)"))
  }

  /// What is found in the source.
  func cluster() throws -> PostgresCluster {
    try #require(try PostgresCluster(holding: inSource("PG_VERSION"), in: source, files: files))
  }

  func listing(_ name: String = "base/1") throws -> DirectoryListing {
    try files.open(path(name), .directory).listing()
  }
}
