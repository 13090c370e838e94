import HoldfastModel
import HoldfastTestSupport
import Testing

/// Whoever follows the runbook at night, word for word, comes out with a shop that works and is protected.
@Suite struct RunbookTests {
  @Test func theDiskDied() throws {
    let book = try Runbook()
    TestFiles.removeTree(book.source)
    let said = try book.follow("The disk died")
    #expect(said.contains("\nok\n"), "the database is sound")
    #expect(said.contains("orders: OK\n"))
    #expect(try book.customers() == "3\n")
    #expect(TestFiles.names(in: book.source.appending("invoices")).sorted() == ["1.txt", "2.txt"])
  }

  @Test func someoneDroppedATable() throws {
    let book = try Runbook()
    // The clock of the test ran on: a snapshot of a second ago is at or before this.
    let before = try book.expect("date -u +%Y-%m-%dT%H:%M:%SZ -d '+1 second'").dropLast()
    try book.expect(
      """
      while [ "$(date +%s)" -le "$(date +%s -d '\(before)')" ]; do :; done
      sqlite3 /srv/orders/orders.db 'DROP TABLE customers; CREATE TABLE later (id INTEGER PRIMARY KEY)'
      holdfast backup /srv/orders --name orders --quiet
      """)
    let said = try book.follow("Someone dropped a table at 14:05", changing: ["2026-11-22T14:04": String(before)])
    #expect(said.contains("customers\n"))
    #expect(try book.customers() == "3\n")
    #expect(try book.expect("sqlite3 /srv/orders/orders.db .tables").contains("later"), "nothing was restored over it")
    #expect(!TestFiles.exists(book.shop.directory.appending("srv/orders.before")))
  }

  @Test func somebodyDeletedOrders() throws {
    let book = try Runbook()
    try book.expect(
      """
      sqlite3 /srv/orders/orders.db "DELETE FROM customers WHERE id = 2; INSERT INTO customers VALUES (9, 'Barbara')"
      sqlite3 /srv/orders/orders.db "DELETE FROM customers WHERE id = 3"
      holdfast backup /srv/orders --name orders --quiet
      """)
    let said = try book.follow(
      "Somebody deleted orders, and nobody knows when", changing: ["1a2b3c4d": try book.id(2)])
    #expect(said.contains("last holds in \(try book.id(2)), number 2 of orders"))
    #expect(said.contains("1\tAda\n2\tGrace\n3\tEdsger\n"))
    #expect(try book.customers() == "4\n", "what was added meanwhile stays")
  }

  /// The disk is a real one, and really full.
  @Test(.requires(.mounts)) func theRepositorysDiskIsFull() throws {
    let book = try Runbook()
    let repository = book.repository
    try book.expect("mv /backup/shop /backup/kept && mkdir /backup/shop")
    let disk = try SmallDisk(at: repository, mebibytes: 4)
    try book.expect(
      """
      cp -a /backup/kept/. /backup/shop
      for number in $(seq 20); do
        head -c 300000 /dev/urandom | base64 > /srv/orders/export.txt
        holdfast backup /srv/orders --name orders --full --quiet || break
      done
      """)
    let full = book.run("holdfast backup /srv/orders --name orders --full --quiet")
    #expect(full.exitStatus == 1 && full.error.contains("No space left on device"))
    let said = try book.follow("The repository's disk is full")
    #expect(said.contains("would collect") && said.contains("\n  collected"))
    try book.expect("holdfast verify --data --quiet")
    withExtendedLifetime(disk) {}
  }

  @Test func aVerifyFailed() throws {
    let book = try Runbook()
    let archive = try #require(
      TestFiles.allFiles(in: book.repository.appending("sources/orders/0000000002")).first {
        $0.text.contains("archive-")
      })
    let middle = (TestFiles.read(archive)?.count ?? 0) / 2
    TestFiles.overwrite(archive, at: middle, with: [0x5A, 0xA5, 0x5A, 0xA5])
    let said = try book.follow("A verify failed", ["SNAPSHOT": book.id(1)])
    #expect(said.contains("status 21\n"))
    #expect(TestFiles.names(in: book.shop.directory.appending("srv/orders.salvaged/invoices")) == ["1.txt"])
    try book.expect("holdfast verify latest --data --quiet")
  }

  @Test func theKeyIsLost() throws {
    let book = try Runbook()
    try book.expect("rm /media/key/recovery.key")
    let said = try book.follow("The key is lost", changing: ["key remove lost": "key remove recipient-1"])
    #expect(said.contains("full"))
    // With the new key, what is taken from now on comes back.
    try book.expect(
      """
      holdfast backup /srv/orders --name orders --quiet
      holdfast restore latest --target /srv/again --identity /media/key/new.key
      holdfast restore latest --target /srv/fresh --repository /backup/shop-2 --identity /media/key/fresh.key
      """)
    for name in ["again", "fresh"] {
      #expect(TestFiles.exists(book.shop.directory.appending("srv/\(name)/orders.db")))
    }
  }

  @Test func theBackupHostIsLost() throws {
    let book = try Runbook()
    let old = try #require(try book.expect("holdfast key list").firstMatch(of: /writer +([0-9a-f]{8})/))
    try book.expect("rm -r /srv/orders /etc/holdfast/writer.key")
    let newHost = [
      "HOLDFAST_STATE_DIR": book.shop.directory.appending("new state").text,
      "HOLDFAST_CACHE_DIR": book.shop.directory.appending("new cache").text,
    ]
    let said = try book.follow(
      "The backup host is lost", changing: ["key remove old-host": "key remove \(old.1)"], newHost)
    #expect(said.contains("orders: OK\n"))
    #expect(try book.customers() == "3\n")
    let line = TestFiles.read(book.shop.directory.appending("image/etc/cron.d/holdfast"))
    #expect(String(decoding: line ?? [], as: UTF8.self).contains("backup"))
  }
}
