import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A repository `shop` whose archives are in shards over directories, `a` (home), `b`, `c` …, and its source `orders`.
struct DividedPlaces {
  let tool = Tool()
  let names: [String]

  /// - Parameter count: the number of targets.
  init(_ erasure: String?, targets count: Int, minShards: Int? = nil) {
    names = (0..<count).map { String("abcdefghijklmnop".dropFirst($0).prefix(1)) }
    TestFiles.makeDirectory(tool.configuration)
    configure(erasure, minShards: minShards)
    var random = SeededRandom(seed: 3)
    TestFiles.write(random.bytes(2_300_000), to: tool.source.appending("orders.db"))
    TestFiles.write("order 1", to: tool.source.appending("1"))
  }

  /// - Parameter order: the targets, the first of which is home; all by default.
  func configure(_ erasure: String?, minShards: Int? = nil, _ order: [String]? = nil) {
    let file = tool.configuration.appending("holdfast.yaml")
    let targets = (order ?? names).map { "      - {name: \($0), path: '\(place($0).text)'}\n" }.joined()
    TestFiles.write(
      "repositories:\n  shop:\n    targets:\n\(targets)" + (erasure.map { "    erasure: \($0)\n" } ?? "")
        + (minShards.map { "    min-shards: \($0)\n" } ?? "")
        + "    when-home-is-away: continue\nsources:\n  orders: {path: '\(tool.source.text)'}\n", to: file)
    TestFiles.setMode(file, 0o644)
  }

  func place(_ name: String) -> Path { tool.directory.appending(name) }

  func leave(_ name: String) { TestFiles.rename(place(name), to: place("away " + name)) }
  func comeBack(_ name: String) { TestFiles.rename(place("away " + name), to: place(name)) }

  @discardableResult
  func run(_ arguments: String...) -> ProcessResult {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    return RunningProcess(start).wait()
  }

  /// The same, which must end with this status.
  @discardableResult
  func run(
    ending status: Int32, _ arguments: String..., at location: Testing.SourceLocation = #_sourceLocation
  ) -> ProcessResult {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    let result = RunningProcess(start).wait()
    #expect(result.exitStatus == status, "\(arguments): \(result.output)\(result.error)", sourceLocation: location)
    return result
  }

  /// The newest snapshot is the source.
  func expectRestores(_ text: String = "", _ location: Testing.SourceLocation = #_sourceLocation) {
    run(
      ending: 0, "restore", "latest", "--name", "orders", "--target", "restored", "--quiet", "--older-copy",
      at: location)
    expectRestored("restored", text, location)
  }

  func expectRestored(_ name: String, _ text: String, _ location: Testing.SourceLocation = #_sourceLocation) {
    let restored = TreeDescription(of: place(name))
    #expect(
      restored.differences(from: TreeDescription(of: tool.source)) == [], "\(text)", sourceLocation: location)
    TestFiles.removeTree(place(name))
  }

  /// The names of the shards and whole containers in a place.
  func containers(_ name: String) -> [String] {
    TestFiles.allFiles(in: place(name)).map { String($0.text.split(separator: "/").last ?? "") }
      .filter { $0.hasPrefix("archive-") || $0.hasPrefix("body-") }.sorted()
  }

  /// All choices of some of the targets.
  func choices(of count: Int) -> [[String]] {
    (0..<count).reduce([[]]) { sets, _ in
      sets.flatMap { known in names.filter { name in known.allSatisfy { $0 < name } }.map { known + [$0] } }
    }
  }
}
