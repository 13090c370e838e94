import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A source that was renamed: every output of every command has the name by which it is called, and none the one under
/// which it is stored. The old name is so unlike all other words that it may stand nowhere.
@Suite struct RenamedSourceTests {
  private static let old = "qqzz-of-yore"
  private static let new = "shop-orders"
  private let tool = Tool()
  private let file: Path
  private let places: [Path]

  /// A configured shop with two targets, whose source has two snapshots under its old name, and is renamed.
  init() throws {
    file = tool.configuration.appending("holdfast.yaml")
    places = ["here", "barn"].map { [tool] in tool.directory.appending($0) }
    TestFiles.makeDirectory(tool.configuration)
    configure(Self.old)
    _ = try TestDatabase(
      tool.source.appending("orders.db"), "CREATE TABLE orders (id); INSERT INTO orders VALUES (1)")
    for words in [["init", "--unsealed"], ["backup"]] { expectDone(words) }
    TestFiles.write("an invoice", to: tool.source.appending("invoice"))
    expectDone(["backup"])
  }

  private func configure(_ name: String) {
    let targets = places.map { "      - {name: \($0.lastName), path: '\($0.text)'}\n" }
    TestFiles.write(
      "repositories:\n  shop:\n    targets:\n\(targets.joined())"
        + "sources:\n  \(name): {path: '\(tool.source.text)', keep: {last: 9}}\n", to: file)
    TestFiles.setMode(file, 0o644)
  }

  private func run(_ words: [String]) -> ProcessResult {
    var start = tool.start(words)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    return RunningProcess(start).wait()
  }

  @discardableResult
  private func expectDone(_ words: [String], _ location: SourceLocation = #_sourceLocation) -> ProcessResult {
    let result = run(words)
    #expect(result.exitStatus == 0, "\(words): \(result.output)\(result.error)", sourceLocation: location)
    return result
  }

  /// Runs a command and expects that it never says the old name: as text and with `--json`, if it has that; by day one
  /// of both, which is drawn.
  private func expectNew(
    _ words: [String], status: Int32 = 0, json: Bool = true, _ location: SourceLocation = #_sourceLocation
  ) {
    let forms = json ? [[], ["--json"]] : [[]]
    for more in Trials.areAll ? forms : [forms.randomElement() ?? []] {
      let result = run(words + more)
      #expect(
        result.exitStatus == status, "\(words + more): \(result.output)\(result.error)", sourceLocation: location)
      // The name of the file in which a damaged thing lies would be right; here nothing is damaged.
      let text = result.output + result.error
      #expect(!text.contains(Self.old), "\(words + more): \(text)", sourceLocation: location)
    }
  }

  private func rename() {
    let renamed = expectDone(["source", "rename", Self.old, Self.new])
    #expect(renamed.output == "\(Self.old) is called \(Self.new) now\n")
    #expect(renamed.error.contains("HINT: Write \(Self.new) instead of \(Self.old) in the configuration"))
  }

  @Test func noOutputHasTheNameUnderWhichItIsStored() throws {
    rename()
    configure(Self.new)
    let metrics = tool.directory.appending("metrics").text
    let page = tool.directory.appending("report.html").text
    let standby = tool.directory.appending("standby").text
    expectNew(["backup"])
    expectNew(["backup", Self.new, "--full"])
    let reading = [
      ["list"], ["list", "--deleted"], ["list", "--name", Self.new], ["show"], ["ls"], ["find", "*"],
      ["history", "invoice"], ["query", "orders.db", "SELECT id FROM orders"],
      ["bisect", "orders.db", "--assert", "SELECT count(*) FROM orders"], ["diff", "latest", "latest"],
      ["restore", "--target", "restored", "--dry-run"], ["run", Self.new, "--dry-run"], ["prune", "--dry-run"],
      ["status"], ["status", "--source", Self.new], ["target", "list"], ["source", "remove", Self.new, "--dry-run"],
      ["standby", Self.new, "--in", standby, "--dry-run"], ["config", "show"],
    ]
    for index in Trials.places(reading.count, oneIn: 4) { expectNew(reading[index]) }
    expectNew(["restore", "--target", "restored", "--name", Self.new], json: false)
    expectNew(["drill", Self.new])
    expectNew(["verify", "--data"])
    expectNew(["verify", "--junit", tool.directory.appending("junit").text])
    expectNew(["sync"])
    expectNew(["scrub"])
    expectNew(["scrub", "--repair", "--name", Self.new])
    expectNew(["merge"])
    expectNew(["tag", "latest", "--add", "kept"])
    expectNew(["prune", "--name", Self.new])
    expectNew(["run"])
    expectNew(["status", "--nagios"], json: false)
    expectNew(["status", "--prometheus", metrics])
    expectNew(["report", "--html", page])
    expectNew(["check", "--no-write"], status: 3)
    expectNew(["standby", Self.new, "--in", standby, "--once"])
    expectNew(["source", "remove", Self.new, "--yes"])
    expectNew(["backup"], status: 1)
    expectNew(["source", "undelete", Self.new], json: false)
    for written in [metrics, page] {
      let text = String(decoding: try #require(TestFiles.read(Path(written))), as: UTF8.self)
      #expect(text.contains(Self.new) && !text.contains(Self.old), "\(written)")
    }
    #expect(expectDone(["source", "list"]).output.contains("stored as \(Self.old)"))
    // Both targets have it as one source.
    for place in places {
      #expect(TestFiles.names(in: place.appending("sources")) == [Self.old])
      #expect(TestFiles.names(in: place.appending("names")) == ["0000000001.json"])
    }
  }

  @Test func theOldNameReadsAndBacksUpNothing() {
    rename()
    for words in [["list"], ["status", "--source", Self.old], ["verify"], ["prune", "--dry-run"], ["find", "*"]] {
      let words = words.contains("--source") ? words : words + ["--name", Self.old]
      let result = expectDone(words)
      #expect(result.error.contains("the source \(Self.old) is called \(Self.new) now"), "\(words): \(result.error)")
    }
    let restored = expectDone(["restore", "--name", Self.old, "--target", "restored"])
    #expect(restored.output.contains(" of \(Self.new), "))
    for words in [["backup"], ["backup", "source", "--name", Self.old], ["run"]] {
      let refused = run(words)
      #expect(refused.exitStatus == 1, "\(words): \(refused.output)\(refused.error)")
      #expect(
        refused.error.contains("the source \(Self.old) is called \(Self.new) now: it was renamed")
          && refused.error.contains("HINT: Write \(Self.new) instead of \(Self.old) in the configuration"),
        "\(words): \(refused.error)")
    }
    let check = run(["check", "--no-write"])
    #expect(check.output.contains("is called \(Self.new) now: its backups are refused"), "\(check.output)")
    #expect(TestFiles.names(in: places[0].appending("sources")) == [Self.old])
  }

  @Test func aNameIsGivenOnce() {
    expectDone(["backup", "source", "--name", "other"])
    rename()
    func refused(_ from: String, _ to: String, _ message: String, at location: SourceLocation = #_sourceLocation) {
      let result = run(["source", "rename", from, to])
      #expect(
        result.exitStatus == 1 && result.error.hasPrefix("holdfast: \(message)"), "\(result.output)\(result.error)",
        sourceLocation: location)
    }
    refused("other", Self.new, "the name \(Self.new) belongs to the source that is called \(Self.new)")
    refused("other", Self.old, "the name \(Self.old) belongs to the source that is called \(Self.new)")
    refused(Self.new, "other", "there is, or was, another source other, and its name is not given again")
    refused(Self.new, Self.new, "the source is called \(Self.new) already")
    refused("missing", "found", "there is no source missing in ")
    refused(Self.new, "third.stored", "no source is given a name that ends in .stored")
    expectDone(["backup", "source", "--name", "fourth.stored"])
    refused(Self.new, "fourth", "there is, or was, a source fourth.stored: so would be called what a host begins")
    refused("fourth.stored", "fifth.stored", "no source is given a name that ends in .stored")
    expectDone(["source", "remove", "other", "--yes", "--grace", "0d"])
    refused(Self.new, "other", "there is, or was, another source other, and its name is not given again")
    // Its own names a source gets back.
    expectDone(["source", "rename", Self.new, Self.old])
    expectDone(["source", "rename", Self.old, "third", "--json"])
    refused("other", Self.new, "the name \(Self.new) belongs to the source that is called third")
    expectDone(["source", "list", "--json"])
  }

  /// What is stored under a name of another source has a name too: a host that did not know of the rename began it.
  @Test func aSourceThatWentAstrayHasANameToo() throws {
    rename()
    let aside = tool.directory.appending("aside")
    TestFiles.makeDirectory(aside)
    for place in places { TestFiles.rename(place.appending("names"), to: aside.appending(place.lastName)) }
    expectDone(["backup", "source", "--name", Self.new])
    for place in places { TestFiles.rename(aside.appending(place.lastName), to: place.appending("names")) }
    let list = expectDone(["source", "list"]).output
    #expect(list.contains("\(Self.new)  ") && list.contains("\(Self.new).stored  "), "\(list)")
    let verified = expectDone(["verify"])
    #expect((verified.output + verified.error).contains("it is called \(Self.new).stored"))
    // Nobody gave it that name, so nothing new is stored under it.
    let refused = run(["backup", "source", "--name", "\(Self.new).stored"])
    #expect(refused.exitStatus == 1 && refused.error.contains("was begun under a name of another one"))
    expectDone(["source", "rename", "\(Self.new).stored", "found-again"])
    #expect(expectDone(["list", "--name", "found-again"]).output.contains("found-again"))
  }
}

extension Path {
  fileprivate var lastName: String { String(decoding: lastComponent, as: UTF8.self) }
}
