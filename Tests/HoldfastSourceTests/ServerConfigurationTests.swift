import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Of the configuration that lies outside of a data directory, the server tells what a server needs to start as it did.
@Suite(.serialized) struct ServerConfigurationTests {
  private let cluster: TestCluster
  private let files = FileSystem()
  private static let names = ["pg_hba.conf", "pg_ident.conf", "postgresql.conf"]

  init() throws { cluster = try TestCluster() }

  private var etc: Path { cluster.directory.appending("etc") }

  private func found(_ more: String = "") throws -> ServerConfiguration {
    let root = try files.open(cluster.data, .directory)
    let skeleton = try #require(try PostgresCluster(holding: Path("PG_VERSION"), in: root, files: files))
    let connection = try PostgresConnection(cluster.connection + more, cancellation: Cancellation())
    return try ServerConfiguration(of: skeleton, connection, in: root, files: files)
  }

  /// Starts a server whose configuration lies where Debian has it.
  private func startFromElsewhere(settings: String = "") throws {
    TestFiles.makeDirectory(etc)
    for name in Self.names { TestFiles.rename(cluster.data.appending(name), to: etc.appending(name)) }
    let text = try #require(TestFiles.read(etc.appending("postgresql.conf")))
    let places = """
      data_directory = '\(cluster.data.text)'
      hba_file = '\(etc.appending("pg_hba.conf").text)'
      ident_file = '\(etc.appending("pg_ident.conf").text)'
      external_pid_file = '\(cluster.directory.appending("pid").text)'

      """
    TestFiles.write(text + Array((places + settings).utf8), to: etc.appending("postgresql.conf"))
    try TestCluster.giveToServer(etc)
    try cluster.start(more: "-c config_file='\(etc.appending("postgresql.conf").text)'")
  }

  /// A value as a server reads it from a configuration file.
  private func value(_ name: String, in file: Path) throws -> String {
    try cluster.run(
      cluster.program("postgres"), "-D", cluster.data.text, "-c", "config_file=\(file.text)", "-C", name)
  }

  @Test func whatLiesInTheDataDirectoryIsLeftToTheCapture() throws {
    try cluster.start()
    let found = try found()
    #expect(found.files == [:] && found.notes == [] && found.warnings == [])
  }

  /// Values with every character that a configuration file writes otherwise.
  @Test func aServerReadsTheSameValues() throws {
    let values = [
      "log_line_prefix": #"it''s \\ back\\slash # no comment = ''\ntwo\tlines "#,
      "search_path": #""$user", public, "a b""#,
    ]
    let settings = values.map { "\($0.key) = '\($0.value)'\n" }.joined()
    try startFromElsewhere(settings: settings)
    try cluster.psql("ALTER SYSTEM SET work_mem = '7MB'")
    try cluster.psql("SELECT pg_reload_conf()")
    let made = cluster.directory.appending("made.conf")
    TestFiles.write(try #require(try found().files["postgresql.conf"]), to: made)
    try TestCluster.giveToServer(made)
    for name in values.keys {
      let before = try value(name, in: etc.appending("postgresql.conf"))
      #expect(try value(name, in: made) == before, "\(name)")
      #expect(before.count > 10, "\(name)")
    }
    let text = String(decoding: try #require(TestFiles.read(made)), as: UTF8.self)
    #expect(text.hasPrefix("# What counted of \(etc.appending("postgresql.conf")) when holdfast took this snapshot"))
    // The places are those of the original; what ALTER SYSTEM has set lies in the data directory.
    for name in ["data_directory", "config_file", "hba_file", "ident_file", "external_pid_file", "work_mem"] {
      #expect(!text.contains("\n\(name) ="), "\(name)")
    }
    #expect(text.contains("\nshared_buffers = '"))
  }

  /// Byte for byte, in whatever encoding it was written.
  @Test func filesAreGivenAsTheyAre() throws {
    try startFromElsewhere()
    try cluster.psql("CREATE DATABASE raw ENCODING 'SQL_ASCII' TEMPLATE template0")
    let hba = etc.appending("pg_hba.conf")
    // Latin-1.
    TestFiles.write(try #require(TestFiles.read(hba)) + [0x23, 0x20, 0x66, 0xfc, 0x72, 0x0a], to: hba)
    let found = try found(" dbname=raw")
    #expect(found.files["pg_hba.conf"] == TestFiles.read(hba))
    #expect(found.files["pg_ident.conf"] == TestFiles.read(etc.appending("pg_ident.conf")))
    #expect(found.files.keys.sorted() == Self.names && found.warnings == [])
    let places = Self.names.map { etc.appending($0).text }.joined(separator: ", ")
    #expect(
      found.notes == [
        "the cluster has its configuration elsewhere (\(places)): the snapshot has \(Self.names.joined(separator: ", ")) as the server tells it, so that what is restored starts by itself; back up the originals as well"
      ])
  }

  /// All of them, or none: a part of a configuration would start another server.
  @Test func aFileThatTheServerDoesNotGiveIsTold() throws {
    try startFromElsewhere()
    TestFiles.remove(etc.appending("pg_ident.conf"))
    let found = try found()
    #expect(found.files == [:] && found.notes == [])
    #expect(
      found.warnings == [
        "the configuration of the cluster (pg_hba.conf, pg_ident.conf, postgresql.conf) lies outside of its data directory, and is not in the snapshot (PostgreSQL says: could not open file \"\(etc.appending("pg_ident.conf"))\" for reading: No such file or directory): back it up as well, or let the role of --postgres read it (GRANT pg_read_all_settings, pg_read_server_files; GRANT EXECUTE ON FUNCTION pg_read_file(text))"
      ])
  }

  @Test func aRoleThatMayNotReadItIsTold() throws {
    try startFromElsewhere()
    try cluster.psql("CREATE ROLE holdfast LOGIN")
    let found = try found(" user=holdfast")
    #expect(found.files == [:] && found.notes == [] && found.warnings.count == 1)
    let warning = try #require(found.warnings.first)
    #expect(warning.contains("and is not in the snapshot (PostgreSQL says: ") && warning.contains("\"hba_file\""))
  }

  /// A link would lead nowhere after a restore, and what the server does not read is no configuration.
  @Test func aLinkIsNoConfigurationAndAFileThatIsNotReadIsTold() throws {
    TestFiles.makeDirectory(etc)
    TestFiles.rename(cluster.data.appending("pg_hba.conf"), to: etc.appending("pg_hba.conf"))
    TestFiles.symbolicLink(etc.appending("pg_hba.conf").text, at: cluster.data.appending("pg_hba.conf"))
    TestFiles.write("# unused\n", to: etc.appending("ident"))
    try TestCluster.giveToServer(etc)
    cluster.set(["ident_file": "'\(etc.appending("ident").text)'"])
    try cluster.start()
    let found = try found()
    #expect(found.files == ["pg_hba.conf": try #require(TestFiles.read(etc.appending("pg_hba.conf")))])
    let warning =
      "the server reads its pg_ident.conf from \(etc.appending("ident")), as ident_file says, and so does the server of a copy: it is not in the snapshot, back it up as well"
    #expect(found.warnings == [warning])
    // A role that may not see the paths is not warned.
    try cluster.psql("CREATE ROLE holdfast LOGIN")
    let seen = try self.found(" user=holdfast")
    #expect(seen.files == [:] && seen.warnings.count == 1 && seen.warnings != [warning])
  }
}
