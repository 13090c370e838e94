import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// The runbook of docs/operations.md, with everything that it names in a temporary directory.
struct Runbook {
  let shop = SealedTool()
  var repository: Path { shop.directory.appending("backup/shop") }
  var source: Path { shop.directory.appending("srv/orders") }
  private var key: Path { shop.directory.appending("media/key/recovery.key") }

  /// A sealed repository with a full and an increment of a shop, and a second recipient.
  init() throws {
    for name in ["backup", "srv", "etc", "bin", "media", "media/key", "media/second"] {
      TestFiles.makeDirectory(shop.directory.appending(name))
    }
    TestFiles.symbolicLink(Tool.binary.text, at: shop.directory.appending("bin/holdfast"))
    TestFiles.makeDirectory(source)
    TestFiles.makeDirectory(source.appending("invoices"))
    TestFiles.write("invoice 1", to: source.appending("invoices/1.txt"))
    try expect(
      """
      set -eu
      sqlite3 /srv/orders/orders.db 'CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT)'
      sqlite3 /srv/orders/orders.db "INSERT INTO customers (name) VALUES ('Ada'), ('Grace'), ('Edsger')"
      FIRST=$(holdfast key generate /media/key/recovery.key 2> /dev/null)
      SECOND=$(holdfast key generate /media/second/recovery.key 2> /dev/null)
      holdfast init --recipient "$FIRST" --quiet
      holdfast key add --recipient "$SECOND" --label second --identity /media/key/recovery.key --quiet
      holdfast backup /srv/orders --name orders --quiet
      echo 'invoice 2' > /srv/orders/invoices/2.txt
      holdfast backup /srv/orders --name orders --quiet
      """)
  }

  /// What the document says under a heading: the lines of its shell blocks.
  static func steps(_ heading: String) throws -> String {
    let text = String(decoding: TestFiles.read(Tool.root.appending("docs/operations.md")) ?? [], as: UTF8.self)
    let part = try #require(text.split(separator: "\n### \(heading)\n", maxSplits: 1).dropFirst().first)
    let section = part.prefix(upTo: part.firstRange(of: "\n##")?.lowerBound ?? part.endIndex)
    let blocks = section.split(separator: "```sh\n").dropFirst().map {
      $0.prefix(upTo: $0.firstRange(of: "```")?.lowerBound ?? $0.endIndex)
    }
    try #require(!blocks.isEmpty)
    return blocks.joined()
  }

  /// Runs shell commands with the places of the document.
  func run(_ commands: String, _ more: [String: String] = [:]) -> ProcessResult {
    let home = shop.directory.path.text
    var script = commands
    for place in ["/backup/", "/srv/", "/media/"] { script.replace(place, with: home + place) }
    script.replace("/etc/holdfast/", with: home + "/etc/")
    script.replace("schedule install --cron", with: "schedule install --cron --root \(home)/image")
    var start = RunningProcess.Start(["bash", "-c", "set -euo pipefail\n" + script])
    start.environment = shop.start([]).environment
    start.environment["PATH"] = "\(home)/bin:/usr/local/bin:/usr/bin:/bin"
    start.environment["HOLDFAST_REPOSITORY"] = repository.text
    start.environment["HOLDFAST_WRITER_KEY_FILE"] = home + "/etc/writer.key"
    start.environment.merge(more) { $1 }
    start.directory = shop.directory.path
    start.hasOwnSession = true
    return RunningProcess(start).wait()
  }

  /// Runs commands, of which none may fail.
  /// - Returns: what they print.
  @discardableResult
  func expect(_ commands: String, _ more: [String: String] = [:]) throws -> String {
    let result = run(commands, more)
    try #require(result.exitStatus == 0, "\(result.output)\(result.error)")
    return result.output
  }

  /// Runs the steps under a heading as who has the recovery key.
  /// - Parameter changing: what differs from the document in this test.
  @discardableResult
  func follow(_ heading: String, changing: [String: String] = [:], _ more: [String: String] = [:]) throws -> String {
    var steps = try Self.steps(heading)
    for (written, meant) in changing {
      try #require(steps.contains(written), "the runbook does not say \(written)")
      steps.replace(written, with: meant)
    }
    var environment = ["HOLDFAST_IDENTITY_FILE": key.text]
    environment.merge(more) { $1 }
    return try expect(steps, environment)
  }

  func id(_ number: Int) throws -> String {
    let line = try expect("holdfast list").split(separator: "\n").first { $0.contains("#\(number) ") }
    let match = try #require(line?.firstMatch(of: /[0-9a-f]{8}/))
    return String(match.output)
  }

  func customers() throws -> String { try expect("sqlite3 /srv/orders/orders.db 'SELECT count(*) FROM customers'") }
}
