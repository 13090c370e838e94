import Glibc
import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// The files of a real MariaDB: refused while the server runs, captured cold when it does not; and its own backup
/// stored through --from-command.
@Suite(.serialized) struct MariaDBTests {
  private let shop: TestShop
  private let tool = Tool()
  private var data: Path { shop.source.appending("mysql") }
  /// Short: the path of a socket has no room for more.
  private var socket: Path { tool.directory.appending("s") }

  init() throws { shop = try TestShop(clock: TestHost.clock(ahead: 10)) }

  private func install() throws {
    let made = tool.other(
      "mariadb-install-db", "--no-defaults", "--datadir=\(data.text)", "--user=root", "--skip-test-db",
      "--auth-root-authentication-method=normal"
    )
    try #require(made.exitStatus == 0, "\(made.error)")
  }

  private func startServer(at data: Path) throws -> RunningProcess {
    var start = RunningProcess.Start([
      "/usr/sbin/mariadbd", "--no-defaults", "--datadir=\(data.text)", "--socket=\(socket.text)", "--skip-networking",
      "--user=root", "--innodb-buffer-pool-size=8M", "--pid-file=\(tool.directory.appending("pid").text)",
    ])
    start.environment = tool.environment
    let server = RunningProcess(start)
    while sql("SELECT 1") == nil {
      try #require(TestFiles.exists(Path("/proc/\(server.processID)/fd")), "the server ended: \(server.wait().error)")
      Pause.briefly()
    }
    return server
  }

  /// `nil` when it failed.
  @discardableResult
  private func sql(_ statements: String) -> String? {
    let result = tool.other("mariadb", "--no-defaults", "--socket=\(socket.text)", "-N", "-B", "-e", statements)
    return result.exitStatus == 0 ? result.output : nil
  }

  private func stop(_ server: RunningProcess) {
    server.send(SIGTERM)
    _ = server.wait()
  }

  private let orders = """
    CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, note TEXT) ENGINE=InnoDB;
    INSERT INTO shop.orders (note) VALUES ('first'), ('second');
    """
  private let count = "SELECT count(*) FROM shop.orders"

  private let hint =
    "Say --from-command 'mariadb-backup --backup --stream=xbstream' --name NAME, or back up a file system snapshot that --before makes, or stop the server."

  @Test(.requires(.mariaDB))
  func aRunningServerIsRefusedAndAStoppedOneIsCapturedCold() throws {
    try install()
    let server = try startServer(at: data)
    try #require(sql(orders) != nil)
    // Below a source it costs nothing else; whichever of its files is open.
    TestFiles.write("order", to: shop.source.appending("order"))
    let whole = try shop.backup()
    let open =
      "it is part of a MariaDB or MySQL server that process \(server.processID) (mariadbd) has open: a plain copy may be of different moments"
    #expect(whole.exitStatus == .incomplete && whole.problems.allSatisfy { $0.reason == open })
    #expect(whole.problems.map(\.path).contains(Path("mysql/ibdata1")))
    #expect(try shop.entries()["order"]?.file != nil)
    let error = #expect(throws: EngineError.self) { try shop.backup { $0.source = data } }
    #expect(error?.hint == hint)
    // Whichever of its files comes first in path order.
    let runs = "that runs (process \(server.processID) (mariadbd)); nothing was committed"
    #expect(error?.message == "aria_log_control belongs to a MariaDB or MySQL server " + runs)
    // A part of its directory, without the files that it locks.
    let part = #expect(throws: EngineError.self) { try shop.backup { $0.source = data.appending("shop") } }
    #expect(part?.message == "orders.ibd belongs to a MariaDB or MySQL server " + runs)
    TestFiles.write("an invoice", to: shop.source.appending("invoice"))
    #expect(try shop.backup { $0.exclusions = ["mysql"] }.problems == [])
    stop(server)
    let cold = try shop.backup()
    #expect(cold.problems == [] && cold.envelope.consistency == .stable)
    try shop.restore(to: "restored")
    let again = try startServer(at: shop.directory.appending("restored").appending("mysql"))
    #expect(sql(count) == "2\n")
    #expect(sql("CHECK TABLE shop.orders")?.contains("OK") == true)
    stop(again)
  }

  @Test(.requires(.mariaDB))
  func aServerThatRanDuringTheCaptureIsFound() throws {
    try install()
    TestFiles.write("order", to: shop.source.appending("zz"))
    let (tool, data) = (tool, data)
    let probe = MeddlingProbe(before: .open, of: "zz") { _ in
      tool.other("/usr/sbin/mariadbd", "--no-defaults", "--bootstrap", "--datadir=\(data.text)", "--user=root")
    }
    let report = try shop.backup(in: shop.repository(probe: probe))
    #expect(report.exitStatus == .incomplete)
    // Whichever of its files is seen first to have changed.
    #expect(
      report.problems.contains {
        Path("mysql").contains($0.path)
          && $0.reason
            == "a MariaDB or MySQL server was opened during the backup: its files may be of different moments"
      })
    TestFiles.write("order", to: data.appending("zz"))
    let error = #expect(throws: EngineError.self) {
      try shop.backup(in: shop.repository(probe: probe)) { $0.source = data }
    }
    #expect(
      error?.message == "a MariaDB or MySQL server wrote to aria_log_control during the backup; nothing was committed")
    #expect(error?.hint == hint && probe.times == 2)
  }

  @Test(.requires(.mariaDB))
  func itsOwnBackupIsStoredAsAStreamAndComesBack() async throws {
    try install()
    let server = try startServer(at: data)
    try #require(sql(orders) != nil)
    let command =
      "mariadb-backup --no-defaults --backup --stream=xbstream --user=root --socket='\(socket.text)' --datadir='\(data.text)' 2> '\(tool.directory.appending("log").text)'"
    let options: @Sendable (inout Backup.Options) -> Void = {
      $0.command = ShellCommand(command)
      $0.source = Path("shop.xbstream")
      $0.name = SourceName("shop")
    }
    let shop = shop
    let backup: @Sendable () throws -> SnapshotKind = { try shop.backup(configure: options).envelope.kind }
    #expect(try await onOwnThread(backup) == .full)
    try #require(sql("INSERT INTO shop.orders (note) VALUES ('third')") != nil)
    #expect(try await onOwnThread(backup) == .incremental)
    stop(server)
    try shop.restore(to: "streams")
    let unpacked = tool.directory.appending("unpacked")
    TestFiles.makeDirectory(unpacked)
    let stream = shop.directory.appending("streams").appending("shop.xbstream")
    let result = tool.other(
      "sh", "-c",
      "mbstream -x -C '\(unpacked.text)' < '\(stream.text)' && mariadb-backup --prepare --target-dir='\(unpacked.text)'"
    )
    try #require(result.exitStatus == 0, "\(result.error)")
    let again = try startServer(at: unpacked)
    #expect(sql(count) == "3\n")
    stop(again)
  }
}
