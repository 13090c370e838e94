import HoldfastArchive
import HoldfastModel
import HoldfastQuery
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// The snapshot in which a database was still as it should be.
@Suite struct BisectTests {
  /// Eight snapshots: without the database, with an empty one, four with orders, and two after somebody deleted them.
  private struct History {
    let asked: QueryShop
    let snapshots: [Snapshot]

    init() throws {
      asked = try QueryShop()
      let shop = asked.shop
      TestFiles.write("first", to: shop.source.appending("note"))
      try shop.backup()
      let program = try TestDatabase(asked.place)
      try program.run("CREATE TABLE customers (id INTEGER PRIMARY KEY)")
      try shop.backup()
      try program.run(TestDatabase.orders)
      for number in 0..<6 {
        if number < 4 {
          try program.order(30, noteBytes: 200)
        } else {
          try program.run("DELETE FROM orders WHERE id > \(20 - number)")
        }
        try shop.backup()
      }
      snapshots = try shop.repository.catalog.allSnapshots { _ in }
    }

    func bisect(_ test: Bisect.Test, linear: Bool = false, _ path: String = "orders.db") throws -> Bisect.Report {
      let repository = try asked.shop.open(as: .owner)
      return try Bisect(Path(path), by: test, in: snapshots.shuffled(), of: repository).run(isLinear: linear)
    }

    func sql(_ sql: String, linear: Bool = false) throws -> Bisect.Report {
      try bisect(.assertion(sql, timeout: nil), linear: linear)
    }

    func answers(_ report: Bisect.Report) -> [String] {
      report.examined.map { "\($0.snapshot.sequence) " + ($0.answer.reason ?? $0.answer.kind) }
    }
  }

  private func sequences(_ report: Bisect.Report) -> [UInt64] {
    switch report.outcome {
    case .holds(let snapshot): [snapshot.sequence]
    case .found(let holding, let failing): [holding.sequence, failing.snapshot.sequence]
    case .nowhere: []
    }
  }

  @Test func theSnapshotBeforeTheOrdersWentIsFound() throws {
    let history = try History()
    let found = try history.sql("SELECT count(*) > 50 FROM orders")
    // Of two orders tables with 30 and 60 orders, only the later one is enough; from the seventh on they are gone.
    #expect(sequences(found) == [6, 7])
    #expect(found.exitStatus == .done && found.count == 8 && found.examined.count <= 5)
    #expect(history.answers(found).first == "1 the snapshot has no orders.db")
    #expect(found.framesRead > 0 && found.bytesFetched > 0)

    let all = try history.sql("SELECT count(*) > 50 FROM orders", linear: true)
    #expect(sequences(all) == [6, 7])
    #expect(
      history.answers(all) == [
        "1 the snapshot has no orders.db",
        "2 SQLite does not take the statement: no such table: orders", "3 fails", "4 holds", "5 holds", "6 holds",
        "7 fails", "8 fails",
      ])
    #expect(
      all.changes.map { [$0.before.snapshot.sequence, $0.after.snapshot.sequence] } == [[2, 3], [3, 4], [6, 7]])
  }

  @Test func whatHoldsNowOrNeverHeldIsTold() throws {
    let history = try History()
    let now = try history.sql("SELECT count(*) FROM customers WHERE 0 UNION SELECT 1 ORDER BY 1 DESC")
    #expect(sequences(now) == [8] && now.examined.count == 1 && now.exitStatus == .done)
    let never = try history.sql("SELECT count(*) > 100000 FROM orders")
    guard case .nowhere = never.outcome else {
      Issue.record("\(never.outcome)")
      return
    }
    #expect(never.exitStatus == .failed)
    // No row and NULL are no assertions that hold.
    for sql in ["SELECT 1 FROM orders WHERE 0", "SELECT NULL FROM orders"] {
      guard case .nowhere = try history.sql(sql).outcome else {
        Issue.record("\(sql)")
        return
      }
    }
    #expect(throws: QueryError.severalStatements) { try history.sql("SELECT 1; SELECT 2") }
  }

  @Test func aTableThatWasDroppedIsFoundToo() throws {
    let asked = try QueryShop()
    let program = try TestDatabase(asked.place, TestDatabase.orders)
    for number in 0..<4 {
      if number == 2 {
        try program.run("DROP TABLE orders")
      } else {
        try program.run("PRAGMA user_version = \(number)")
      }
      try asked.shop.backup()
    }
    let report = try Bisect(
      QueryShop.name, by: .assertion("SELECT count(*) = 0 FROM orders", timeout: nil),
      in: asked.shop.repository.catalog.allSnapshots { _ in }, of: asked.shop.repository
    ).run(isLinear: false)
    #expect(sequences(report) == [2, 3])
    guard case .found(_, let failing) = report.outcome else { return }
    #expect(failing.answer == .unanswerable("SQLite does not take the statement: no such table: orders"))
  }

  /// The command sees a copy of its own, and nothing is left of it.
  @Test func aCommandExaminesACopy() throws {
    let history = try History()
    let seen = history.asked.shop.directory.appending("seen")
    let report = try history.bisect(
      .command(
        """
        echo "$HOLDFAST_DATABASE" >> '\(seen)'
        [ "$(stat -c %a "${HOLDFAST_DATABASE%/*}") $(stat -c %a "$HOLDFAST_DATABASE")" = '700 600' ] || exit 99
        size=$(stat -c %s "$HOLDFAST_DATABASE")
        touch "$HOLDFAST_DATABASE-shm"
        [ $size -gt 30000 ] && exit 125
        [ $size -lt 20000 ]
        """))
    let examined = report.examined.filter { $0.answer.reason != "the snapshot has no orders.db" }
    let copies = String(decoding: TestFiles.read(seen) ?? [], as: UTF8.self).split(separator: "\n").map(String.init)
    #expect(copies.count == examined.count && Set(copies).count == copies.count && copies.count > 1)
    for copy in copies { #expect(!TestFiles.exists(Path(copy)) && !TestFiles.exists(Path(copy).parent ?? .root)) }
    #expect(examined.contains { $0.answer == .skipped("the command ended with exit status 125") }, "\(examined)")
    let failure = #expect(throws: EngineError.self) { try history.bisect(.command("exit 127")) }
    #expect(
      failure?.description
        == "the command of --test ended with exit status 127, which is no answer\nHINT: 126 and 127 mean that it could not be run. Try it by itself: exit 127"
    )
  }

  @Test func aDamagedSnapshotIsSkippedAndNotPassedOver() throws {
    let history = try History()
    let snapshot = history.snapshots[6]
    let body = Keys.body(snapshot.sourceName, snapshot.sequence, snapshot.envelope.body.id)
    let length = try #require(history.asked.store.contents[body]?.count)
    history.asked.store.contents[body]?[length / 2] ^= 0x55
    let report = try history.sql("SELECT count(*) > 50 FROM orders", linear: true)
    // The eighth builds on it, so that neither can be examined.
    #expect(sequences(report) == [6])
    #expect(report.examined.filter(\.answer.isSkipped).map(\.snapshot.sequence) == [7, 8])
    #expect(report.damage?.message.contains(body) == true && report.exitStatus == .dataLoss)
  }
}
