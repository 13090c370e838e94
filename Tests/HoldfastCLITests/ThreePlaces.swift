import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A repository `shop` in three directories, `here` (home), `cloud` and `barn`, and its sources.
struct ThreePlaces {
  let tool = Tool()
  static let names = ["here", "cloud", "barn"]

  /// - Parameters:
  ///   - keys: more of the repository.
  ///   - sources: beside `orders`, which is the tool's source.
  init(_ keys: String = "", sources: [String] = []) {
    TestFiles.makeDirectory(tool.configuration)
    let targets = Self.names.map { "      - {name: \($0), path: '\(place($0).text)'}\n" }.joined()
    let more = sources.map { name in
      TestFiles.makeDirectory(tool.directory.appending(name))
      TestFiles.write("of \(name)", to: tool.directory.appending(name).appending("1"))
      return "  \(name): {path: '\(tool.directory.appending(name).text)'}\n"
    }
    let file = tool.configuration.appending("holdfast.yaml")
    TestFiles.write(
      "repositories:\n  shop:\n    targets:\n\(targets)\(keys)sources:\n  orders: {path: '\(tool.source.text)'}\n"
        + more.joined(), to: file)
    TestFiles.setMode(file, 0o644)
    TestFiles.write("order 1", to: tool.source.appending("1"))
  }

  func place(_ name: String) -> Path { tool.directory.appending(name) }

  func start(_ arguments: [String]) -> RunningProcess.Start {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    return start
  }

  @discardableResult
  func run(_ arguments: String...) -> ProcessResult { RunningProcess(start(arguments)).wait() }

  /// The same, which must end with 0.
  @discardableResult
  func done(_ arguments: String..., at location: Testing.SourceLocation = #_sourceLocation) -> ProcessResult {
    let result = RunningProcess(start(arguments)).wait()
    #expect(result.exitStatus == 0, "\(arguments): \(result.output)\(result.error)", sourceLocation: location)
    return result
  }

  /// Each place alone restores the newest snapshot of `orders`, and holds nothing that was begun and not ended.
  func expectEachRestores(_ text: String = "", _ location: Testing.SourceLocation = #_sourceLocation) {
    for name in Self.names {
      done("verify", "--data", "--quiet", "--from", name, at: location)
      done("restore", "latest", "--name", "orders", "--from", name, "--target", "restored", "--quiet", at: location)
      let restored = TreeDescription(of: place("restored"))
      #expect(
        restored.differences(from: TreeDescription(of: tool.source)) == [], "\(text) from \(name)",
        sourceLocation: location)
      TestFiles.removeTree(place("restored"))
      let begun = TestFiles.allFiles(in: place(name)).filter {
        $0.text.contains("/.unfinished-") && !$0.text.contains("/leases/")
      }
      #expect(begun == [], "\(text)", sourceLocation: location)
    }
  }

  /// The keys of what lasts in a place.
  func keys(_ name: String) -> Set<String> {
    let directory = place(name)
    let files = TestFiles.allFiles(in: directory).map { String($0.text.dropFirst(directory.text.count + 1)) }
    return Set(files.filter { ["sources/", "keyring/", "holdfast.json"].contains(where: $0.hasPrefix) })
  }
}
