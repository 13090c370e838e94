import HoldfastModel
import HoldfastTestSupport
import Testing

/// What `history`, `find` and `ls` print, and how they end.
@Suite struct BrowseTests {
  private let tool = Tool()

  /// Two snapshots: an invoice with an odd name goes between them, and the database changes.
  init() {
    TestFiles.makeDirectory(tool.source.appending("invoices"))
    TestFiles.write("an order", to: tool.source.appending("orders.db"))
    TestFiles.write("an invoice", to: tool.source.appending("invoices/new\nline.pdf"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    TestFiles.write("more orders", to: tool.source.appending("orders.db"))
    TestFiles.remove(tool.source.appending("invoices/new\nline.pdf"))
    tool.run("backup", "source")
  }

  private func plain(_ text: String) -> String {
    tool.plain(text).replacing(/\d{4}-\d\d-\d\d \d\d:\d\d/, with: "TIME")
  }

  @Test func whatWasDeletedIsFoundAndComesBack() throws {
    let found = tool.run("find", "*.pdf", "--deleted")
    #expect(found.exitStatus == 0)
    #expect(
      plain(found.output) == """
        source: 1 path
        FIRST  LAST  TAKEN  IN  SIZE  PATH
        ID  ID  TIME  1  10 B  invoices/new\\x0aline.pdf

        """)
    #expect(
      plain(found.error)
        == #"HINT: Run `holdfast cat ID 'invoices/new\x0aline.pdf' > FILE` to get the first of them back, or `holdfast restore ID --target DIR --path 'invoices/new\x0aline.pdf'`."#
        + "\n")
    let match = try #require(found.error.firstMatch(of: /holdfast cat ([0-9a-f]{8}) '([^']+)'/))
    #expect(tool.run("cat", String(match.1), String(match.2)).output == "an invoice")
    let nothing = tool.run("find", "*.csv")
    #expect(nothing.exitStatus == 0)
    #expect(nothing.output == "")
    #expect(nothing.error == "holdfast: nothing matches\n")
  }

  @Test func theVersionsOfAFileAreToldWithTheirSnapshots() {
    let history = tool.run("history", tool.source.appending("orders.db").text)
    #expect(history.exitStatus == 0)
    #expect(
      plain(history.output) == """
        orders.db of source: 2 versions
        FIRST  TAKEN  LAST  IN  SIZE  DIGEST  MODIFIED
        ID  TIME  ID  1  8 B  ID  TIME
        ID  TIME  ID  1  11 B  ID  TIME

        """)
    tool.run("history", "orders.csv").expectRefusal(
      1, "no snapshot has orders.csv", hint: "Run `holdfast find '*orders.csv*'` to see where it lies.")
  }

  @Test func aDirectoryIsListedAsItWas() throws {
    let first = try #require(tool.run("list").output.firstMatch(of: /[0-9a-f]{8}/)).output
    #expect(tool.run("ls", "invoices").output == "")
    let listed = plain(tool.run("ls", String(first), tool.source.appending("invoices/").text).output)
    #expect(listed.hasSuffix(#"  10  TIME  invoices/new\x0aline.pdf"# + "\n"), "\(listed)")
    let newest = plain(tool.run("ls").output)
    #expect(newest.hasPrefix("drwx"), "\(newest)")
    #expect(newest.hasSuffix("  orders.db\n"), "\(newest)")
  }

  /// The question of a shell for what can stand behind `holdfast ls` or another command.
  @Test(arguments: [
    ("ls", "inv", "invoices/"), ("history", "./o", "./orders.db"),
  ])
  func pathsAreCompleted(command: String, begun: String, expected: String) {
    let result = tool.run(
      "---completion", command, "--", "positional@0", "2", "\(begun.count)", "holdfast", command, begun)
    #expect(result.exitStatus == 0)
    #expect(result.output.split(separator: "\n").contains { $0 == expected }, "\(result.output)")
    #expect(result.error == "")
  }
}
