import HoldfastModel
import HoldfastTestSupport
import Testing

/// What lies in a cold storage class is told before anything begins: how many archives, how long it takes, and what to
/// type. What was thawed is read like anything else.
@Suite(.timeLimit(.minutes(30))) struct ColdStorageTests {
  private let tool = SealedTool()
  private let server = PretendS3()

  /// Makes a repository with two snapshots, of which only the first has what `big` contains.
  private init(storageClass: String) {
    TestFiles.makeDirectory(tool.tool.configuration)
    TestFiles.write(
      "repositories:\n  shop: {url: '\(server.location)', storage-class: {archives: \(storageClass)}}\n",
      to: tool.tool.configuration.appending("holdfast.yaml"))
    TestFiles.write([UInt8](repeating: 5, count: 1 << 20), to: tool.source.appending("big"))
    for command in [["init", "--unsealed"], ["backup", "source"]] { #expect(run(command).exitStatus == 0) }
    TestFiles.write("order 2", to: tool.source.appending("orders"))
    #expect(run(["backup", "source"]).exitStatus == 0)
  }

  init() { self.init(storageClass: "DEEP_ARCHIVE") }

  private func run(_ arguments: [String]) -> ProcessResult {
    tool.run(arguments + ["--repository", "shop"]) { start in
      start.environment["AWS_ACCESS_KEY_ID"] = "id"
      start.environment["AWS_SECRET_ACCESS_KEY"] = "secret"
      start.environment["AWS_EC2_METADATA_DISABLED"] = "true"
    }
  }

  private static let hint =
    #"`holdfast restore --dry-run` prints their keys. Thaw each with `aws s3api restore-object --bucket orders --key KEY --restore-request '{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}'`, and run the same command again when that is done."#

  /// The archives, as the server has them.
  private var archives: [String] {
    server.requests.filter { $0.method == "PUT" && $0.target.contains("/archive-") }
      .map { String($0.target.dropFirst("/orders/".count)) }
  }

  private func expectFrozen(
    _ command: [String], _ count: String, more: String = "", hint: String = hint,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let result = run(command)
    let error = result.error.replacing(/with \S+ \S+ in the/, with: "with SIZE in the")
    #expect(
      error
        == """
        holdfast: \(server.location) must thaw first what is needed: \(count) with SIZE in the storage class DEEP_ARCHIVE, which takes up to 12 hours with the tier Standard, up to 48 hours with Bulk\(more)
        HINT: \(hint)

        """, sourceLocation: sourceLocation)
    #expect(result.exitStatus == 1, sourceLocation: sourceLocation)
  }

  @Test(arguments: [["restore", "--target", "restored"], ["verify", "--data"], ["merge"]])
  func whatMustBeThawedIsToldFirst(_ command: [String]) {
    let before = server.requests.count
    expectFrozen(command, "2 archives")
    #expect(server.requests[before...].filter { $0.method == "GET" && $0.target.contains("/archive-") }.isEmpty)
    #expect(!TestFiles.exists(tool.directory.appending("restored")))
    server.set(.thawing)
    expectFrozen(
      command, "2 archives", more: " (it is thawing 2 archives already)",
      hint: "Run the same command again when that is done.")
    server.set(.thawed)
    let result = run(command)
    #expect(result.exitStatus == 0, "\(result.error)")
  }

  /// Only what is asked for must be thawed.
  @Test func aPartOfASnapshotNeedsOnlyItsArchives() {
    expectFrozen(["restore", "--target", "restored", "--path", "big"], "1 archive")
    expectFrozen(["cat", "latest", "big"], "1 archive")
    server.set(.thawed)
    #expect(run(["cat", "latest", "orders"]).output == "order 2")
  }

  @Test func aDryRunPrintsTheKeys() {
    let result = run(["restore", "--target", "restored", "--dry-run"])
    #expect(result.exitStatus == 1)
    #expect(result.output.split(separator: "\n").map(String.init).sorted() == archives.sorted())
    #expect(archives.count == 2)
  }

  /// What is printed of an earlier version has its ID behind a tab.
  @Test func theLoopOfTheManualThawsWhatIsPrinted() throws {
    let manual = String(decoding: TestFiles.read(Tool.root.appending("docs/operations.md")) ?? [], as: UTF8.self)
    let begin = try #require(manual.firstRange(of: "holdfast restore --target /srv/restored --dry-run |"))
    let loop = manual[begin.lowerBound...].split(separator: "```")[0]
    let result = tool.tool.other(
      "sh", "-euc",
      """
      holdfast() { printf 'shop/a b\nshop/c\tv1.2\n'; }
      aws() { for word in "$@"; do printf '<%s>' "$word"; done; echo; }
      \(loop)
      """)
    let request = #"<--restore-request><{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}>"#
    #expect(
      result.output == """
        <s3api><restore-object><--bucket><shop-backup><--key><shop/a b>\(request)
        <s3api><restore-object><--bucket><shop-backup><--key><shop/c><--version-id><v1.2>\(request)

        """, "\(result.error)")
  }

  /// Manifests are never cold, so these ask for no archive.
  @Test func everythingElseWorks() {
    for command in [["list"], ["status"], ["verify"], ["show", "latest", "--files"]] {
      let result = run(command)
      #expect(result.exitStatus == 0, "\(command): \(result.error)")
    }
    TestFiles.write("order 3", to: tool.source.appending("orders"))
    #expect(run(["backup", "source"]).exitStatus == 0)
  }
}
