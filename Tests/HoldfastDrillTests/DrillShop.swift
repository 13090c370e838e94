import HoldfastDrill
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport

/// A shop with an SQLite database of orders, and drills of its snapshots.
struct DrillShop {
  let shop: TestShop
  /// The directory in which drills are made.
  var place: Path { shop.directory.appending("drills") }
  /// The place of the drills of the source, and what lies in it.
  var own: Path { place.appending("holdfast-drill-source") }
  var scratch: Path { own.appending("scratch") }
  var database: Path { shop.source.appending("orders.db") }
  var log: String { String(decoding: TestFiles.read(own.appending("log")) ?? [], as: UTF8.self) }

  static let tables = """
    CREATE TABLE customers (id INTEGER PRIMARY KEY);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer REFERENCES customers (id), total REAL, placed TEXT);
    INSERT INTO customers VALUES (1), (2);
    INSERT INTO orders VALUES (1, 1, 12.5, datetime('now')), (2, 2, 7.5, datetime('now', '-2 hours'));
    """

  /// - Parameter more: further statements for the database.
  init(_ more: String = "", isSealed: Bool = false) throws {
    shop = try TestShop(isSealed: isSealed)
    _ = try TestDatabase(database, Self.tables + more)
    try shop.backup()
  }

  func drill(
    _ assertions: [DrillAssertion] = [], snapshot: String = "latest", in repository: Repository? = nil,
    configure: (inout Drill.Options) -> Void = { _ in }
  ) throws -> Drill.Report {
    var options = Drill.Options(directory: place) { _ in "false" }
    options.assertions = assertions
    options.isRoot = Tool.isRoot
    options.forbidden = [
      ForbiddenPlace(shop.source, "the source source"), ForbiddenPlace(shop.repositoryPath, "the repository"),
    ]
    configure(&options)
    let repository = repository ?? shop.repository
    return try Drill(
      repository: repository, snapshot: shop.snapshot(snapshot, in: repository), options: options,
      progress: QuietProgress()
    ).run()
  }

  /// What is wrong, without the directories of the test; `nil` if nothing is.
  func objection(to report: Drill.Report) -> String? {
    report.failure.map { "\($0.phase.rawValue): \(plain($0.error))" }
  }

  /// The reason why no drill can be made.
  func refusal(configure: (inout Drill.Options) -> Void) -> String {
    do {
      return "a drill was made: \(try drill(configure: configure).verdict)"
    } catch {
      return plain(describe(error))
    }
  }

  private func plain(_ error: any OperatorError) -> String {
    "\(error)".replacing(shop.directory.path.text, with: "DIR")
  }
}
