import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// Whatever programs do to a database while it is captured, what comes back is a state that one of them has committed,
/// or the database is named.
@Suite(.timeLimit(.minutes(30))) struct SQLiteRandomTests {
  private static let seeds = Trials.seeds(byDay: 3, atNight: 9)

  @Test(arguments: seeds) func whatComesBackWasCommitted(seed: UInt64) throws {
    let shop = try TestShop(clock: TestHost.clock(ahead: 10))
    TestFiles.makeDirectory(shop.source.appending("z"))
    let program = try RandomProgram(shop.source.appending("z/orders.db"), in: shop.directory.path, seed: seed)
    var wholeCount = 0
    for number in 0..<4 {
      let operation: HoldfastSystem.Operation = number.isMultiple(of: 2) ? .lock : .open
      let probe = MeddlingProbe(before: operation, of: number == 1 ? "z" : "z/orders.db") { time in
        if time < 40 { program.goOn() }
      }
      program.goOn()
      let report = try shop.backup(in: shop.repository(probe: probe)) { $0.groupsDatabases = number < 2 }
      let target = "restored \(number)"
      try shop.restore(to: target)
      let copy = shop.directory.appending(target).appending("z/orders.db")
      let isNamed = report.problems.contains { $0.path == Path("z/orders.db") } && report.exitStatus == .incomplete
      if !isNamed { wholeCount += 1 }
      #expect(try isNamed || program.hasCommitted(TestDatabase(copy).summary()), "\(report.problems)")
    }
    #expect(wholeCount > 0, "what its programs do keeps few captures from being whole")
  }
}

/// A program that does to a database, at random, what programs do.
private final class RandomProgram: Sendable {
  private struct State {
    var random: SeededRandom
    var database: TestDatabase
    var committed: Set<String> = []
  }

  private static let statements = [
    "DELETE FROM orders WHERE id % 3 = 0", "UPDATE orders SET total = total + 1", "VACUUM",
    "PRAGMA page_size = 1024; VACUUM", "PRAGMA page_size = 16384; VACUUM", "PRAGMA auto_vacuum = FULL; VACUUM",
    "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0", "PRAGMA journal_mode = DELETE",
    "PRAGMA journal_mode = PERSIST", "PRAGMA journal_mode = TRUNCATE", "PRAGMA journal_mode = MEMORY",
    "PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(TRUNCATE)",
    "BEGIN; UPDATE orders SET note = randomblob(2000); ROLLBACK",
  ]

  private let place: Path
  private let other: Path
  private let state: Mutex<State>

  init(_ place: Path, in directory: Path, seed: UInt64) throws {
    self.place = place
    other = directory.appending("other.db")
    let database = try TestDatabase(place, TestDatabase.orders)
    try database.order(150)
    state = Mutex(State(random: SeededRandom(seed: seed), database: database))
    note()
  }

  func hasCommitted(_ summary: String) -> Bool { state.withLock { $0.committed.contains(summary) } }

  /// Does one thing; where the database is locked it does not.
  func goOn() {
    let choice = state.withLock { Int.random(in: 0..<Self.statements.count + 6, using: &$0.random) }
    switch choice {
    case Self.statements.indices: run(Self.statements[choice])
    case Self.statements.count: replace()
    case Self.statements.count + 1: reopen()
    default: try? state.withLock { try $0.database.order(Int.random(in: 1...40, using: &$0.random)) }
    }
    note()
  }

  private func run(_ statement: String) {
    state.withLock { state in
      try? state.database.run(statement)
      // Where a lock ended a transaction in the middle.
      try? state.database.run("ROLLBACK")
    }
  }

  /// Writes a copy and gives it the name.
  private func replace() {
    state.withLock { state in
      TestFiles.remove(other)
      guard (try? state.database.run("PRAGMA journal_mode = DELETE; VACUUM INTO '\(other.text)'")) != nil,
        (try? state.database.text("PRAGMA journal_mode")) == "delete"
      else { return }
      TestFiles.rename(other, to: place)
      if let database = try? TestDatabase(place) { state.database = database }
    }
  }

  /// As a program that ends, and the next one.
  private func reopen() {
    state.withLock { state in
      if let database = try? TestDatabase(place) { state.database = database }
    }
  }

  private func note() {
    state.withLock { state in
      if let summary = try? state.database.summary() { state.committed.insert(summary) }
    }
  }
}
