package import HoldfastModel

/// The files of a program that was cut off in the middle of a transaction.
package enum HotJournal {
  /// Makes a database of orders at `place` that a transaction has changed half, and beside it the journal that undoes
  /// the change.
  /// - Returns: the committed orders, as `TestDatabase.summary` gives them.
  package static func make(at place: Path, orders: Int) throws -> String {
    let directory = TemporaryDirectory()
    let origin = directory.appending("orders.db")
    let database = try TestDatabase(
      origin, "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1;" + TestDatabase.orders)
    try database.order(orders)
    let committed = try database.summary()
    try database.run("BEGIN; UPDATE orders SET total = total + 5, note = randomblob(3000);")
    // A power cut leaves the journal, and a main file that is half changed.
    for suffix in ["", "-journal"].map({ Array($0.utf8) }) {
      guard let bytes = TestFiles.read(Path(bytes: origin.bytes + suffix)), !bytes.isEmpty else {
        throw TestDatabase.Failure(description: "SQLite keeps the transaction in memory")
      }
      TestFiles.write(bytes, to: Path(bytes: place.bytes + suffix))
    }
    return committed
  }
}
