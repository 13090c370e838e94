import HoldfastConfiguration
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What a site writes of its drills comes into effect, and each mistake is told at its line.
@Suite struct DrillConfigurationTests {
  private let directory = TemporaryDirectory()

  private func settings(_ more: String) throws -> Settings? {
    let text = "repositories: {shop: {path: /backup/shop}}\nsources:\n  orders:\n    path: /srv/orders\n"
    TestFiles.write(text + more, to: directory.appending("holdfast.yaml"))
    TestFiles.setMode(directory.appending("holdfast.yaml"), 0o600)
    var location = ConfigurationLocation()
    location.named = directory.appending("holdfast.yaml")
    return try ConfigurationLoader(location, files: FileSystem(), environment: { _ in nil }) { _ in true }.load()
  }

  private func drill(_ more: String) throws -> DrillSettings { try #require(try settings(more)?.sources.first).drill }

  @Test func everyKeyHasItsEffect() throws {
    let drill = try drill(
      """
          drill:
            every: 7d
            in: /var/lib/holdfast/drill
            max-size: 100GiB
            timeout: 2h
            database: data/orders.db
            assertions:
              - sql: SELECT count(*) FROM orphans
                equals: 0
              - {sql: 'SELECT count(*) FROM orders', at-least: 1000}
              - {sql: SELECT max(placed) FROM orders, within: 1h, timeout: 30s}
              - sql: SELECT total = paid FROM sums
          objectives: {restore-within: 30min, drilled-within: 8d}
      """)
    #expect(drill.every == .days(7) && drill.directory == Path("/var/lib/holdfast/drill"))
    #expect(drill.bytesMax == 100 << 30 && drill.database == "data/orders.db")
    #expect(try drill.timeout == .hours(2) && self.drill("").timeout == .hours(24))
    #expect(
      drill.assertions == [
        DrillAssertion("SELECT count(*) FROM orphans", .equals("0")),
        DrillAssertion("SELECT count(*) FROM orders", .atLeast("1000")),
        DrillAssertion("SELECT max(placed) FROM orders", .within(.hours(1)), timeout: .seconds(30)),
        DrillAssertion("SELECT total = paid FROM sums"),
      ])
    let objectives = try #require(
      try settings("    objectives: {restore-within: 30min, drilled-within: 8d}\n")?.sources.first
    )
    .objectives
    #expect(objectives.restoreWithin == .minutes(30) && objectives.drilledWithin == .days(8))
  }

  @Test func defaultsHoldForASourceThatSaysNothingElse() throws {
    let defaults = "defaults:\n  drill: {every: 7d, assertions: [{sql: SELECT 1}, {sql: SELECT 2}]}\n"
    #expect(try drill(defaults).assertions == [DrillAssertion("SELECT 1"), DrillAssertion("SELECT 2")])
    let own = try drill("    drill: {assertions: [{sql: SELECT 3}]}\n" + defaults)
    #expect(own.every == .days(7) && own.assertions == [DrillAssertion("SELECT 3")])
    #expect(try drill("").every == nil)
  }

  @Test(arguments: [
    ("{every: often}", "5:20: every: \"often\" is not a length of time\nHINT: \(TimeSpan.allowed)"),
    ("{in: scratch}", "5:17: in: \"scratch\" is not an absolute path\nHINT: It begins with /."),
    (
      "{max-size: 100GB}",
      "5:23: max-size: \"100GB\" is not a size\nHINT: Write bytes, such as 500M, 20GiB or 1T."
    ),
    (
      "{database: ../orders.db}",
      "5:23: database: \"../orders.db\" is not a database\nHINT: Write the path of its file below the source, or the name of a database of PostgreSQL."
    ),
    (
      "{assertions: SELECT 1}",
      "5:25: assertions is a value, not a list\nHINT: Write a list of maps: [{sql: …}, …]."
    ),
    (
      "{assertions: [SELECT 1]}",
      "5:26: an assertion is a value, not a map\nHINT: Write keys with values, like {sql: …}."
    ),
    (
      "{assertions: [{equals: 1}]}",
      "5:26: an assertion of drill says no sql\nHINT: Write `sql:` with the statement to ask."
    ),
    (
      "{assertions: [{sql: SELECT 1, equals: 1, at-least: 1}]}",
      "5:26: equals, at-least and within of an assertion exclude each other\nHINT: Keep one of them, or write two assertions."
    ),
    (
      "{assertions: [{sql: ' '}]}",
      "5:32: sql: \" \" is not a statement of SQL\nHINT: It is what the database shall answer."
    ),
    (
      "{assertions: [{sql: SELECT 1, at-least: many}]}",
      "5:52: at-least: \"many\" is not a number\nHINT: Write digits, and a point if need be, such as 12.5."
    ),
    (
      "{assertions: [{sql: SELECT 1, equal: 1}]}",
      "5:42: there is no key equal in an assertion\nHINT: Did you mean equals?"
    ),
    (
      "{assertions: [{sql: SELECT 1, equals: \"a\\nb\"}]}",
      "5:50: equals: \"a\\x0ab\" is not a value\nHINT: It stands on one line."
    ),
  ])
  func aMistakeIsToldAtItsPlace(_ text: String, _ complaint: String) throws {
    do {
      _ = try settings("    drill: \(text)\n")
      Issue.record("it was taken")
    } catch {
      let said = "\(error)".replacing(directory.path.text, with: "DIR")
      #expect(said == "the configuration has 1 mistake\nDIR/holdfast.yaml:" + complaint)
    }
  }

  @Test(arguments: [("500", 500), ("100GiB", 100 << 30), ("1T", 1 << 40), ("2K", 2048)] as [(String, UInt64)])
  func aSizeIsReadAsItIsWritten(_ text: String, _ bytes: UInt64) { #expect(ByteSize(text)?.bytes == bytes) }
}
