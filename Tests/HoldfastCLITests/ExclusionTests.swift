import HoldfastModel
import HoldfastTestSupport
import Testing

/// An exclusion leaves out what people mean by it, or they are told that it leaves out nothing.
@Suite struct ExclusionTests {
  private let tool = Tool()

  init() {
    for directory in ["cache", "a", "a/cache", "a/b", "a/b/cache", "keep"] {
      TestFiles.makeDirectory(tool.source.appending(directory))
    }
    for directory in ["cache", "a/cache", "a/b/cache", "keep"] {
      TestFiles.write("1", to: tool.source.appending(directory).appending("f"))
    }
    tool.run("init", "--unsealed")
  }

  private func backup(_ pattern: String, _ options: String...) -> ProcessResult {
    RunningProcess(tool.start(["backup", "source", "--full", "--exclude", pattern] + options)).wait()
  }

  private func files() -> [String] {
    tool.run("show", "latest", "--files").output.split(separator: "\n").compactMap { line in
      line.split(separator: " ").last.map(String.init).flatMap { $0.hasSuffix("/f") ? $0 : nil }
    }
  }

  @Test(arguments: [
    ("cache", ["keep/f"]), ("cache/", ["keep/f"]), ("**/cache", ["keep/f"]),
    ("/cache", ["a/b/cache/f", "a/cache/f", "keep/f"]), ("./cache", ["a/b/cache/f", "a/cache/f", "keep/f"]),
    ("SOURCE/cache", ["a/b/cache/f", "a/cache/f", "keep/f"]), ("a/./cache", ["a/b/cache/f", "cache/f", "keep/f"]),
    ("a/**/cache", ["cache/f", "keep/f"]), ("a/**", ["cache/f", "keep/f"]),
  ])
  func whatIsMeantIsLeftOut(pattern: String, left: [String]) {
    let result = backup(pattern.replacing("SOURCE", with: tool.source.text))
    #expect(result.exitStatus == 0 && result.error == "", "\(result.error)")
    #expect(files().sorted() == left)
  }

  @Test func whatMatchesNothingIsTold() {
    let result = backup("source/cache")
    #expect(result.exitStatus == 0)
    #expect(tool.plain(result.error) == "holdfast: nothing in DIR/source matches the exclusion source/cache\n")
    #expect(backup("source/cache", "--quiet").error == "")
  }

  @Test(arguments: ["../cache", "a/../cache", "", "/"]) func whatCanMatchNothingIsRefused(pattern: String) {
    let result = backup(pattern)
    #expect(result.exitStatus == 2)
    #expect(
      tool.plain(result.error) == """
        holdfast: the exclusion \(pattern.isEmpty ? "\"\"" : pattern) can match nothing in DIR/source
        HINT: Write a name, or a path from the source on, without "..".

        """)
  }

  @Test func aSnapshotOfNothingIsNotTaken() {
    tool.run("backup", "source")
    for kind in ["--full", "--incremental"] {
      let result = tool.run("backup", "source", kind, "--exclude", "*", "--quiet")
      #expect(result.exitStatus == 1)
      #expect(
        tool.plain(result.error) == """
          holdfast: nothing of the source DIR/source is left to capture: what is in it is left out
          HINT: See what --exclude says. Nothing was recorded; earlier snapshots are as they were.

          """)
    }
    #expect(files().count == 4)
    #expect(tool.unfinishedObjects == [])
  }

  /// As people look for what they have just done: at the end.
  @Test func theSourceThatWasCapturedLastIsListedLast() {
    for name in ["zebra", "ape"] { tool.run("backup", "source", "--name", name, "--exclude", "keep") }
    let names = tool.run("list", "--json").output.matches(of: /"source" : "([a-z]+)"/).map { String($0.output.1) }
    #expect(names == ["zebra", "ape"])
  }

  // MARK: Other words that are nearly right

  @Test func aMistypedRepositoryIsNotSuggestedToBeMade() {
    let typed = tool.run("list", "--repository", "repositori")
    #expect(typed.exitStatus == 10)
    #expect(
      tool.plain(typed.error) == """
        holdfast: there is no repository in DIR/repositori
        HINT: There is one by the name of repository: did you mean --repository repository?

        """)
    #expect(tool.run("list", "-r", "./repostory/").error.hasSuffix("did you mean --repository ./repository?\n"))
    #expect(tool.run("list", "-r", "elsewhere").error.contains("run `holdfast init --repository "))
    TestFiles.write(
      "repositories:\n  offsite: {path: \(tool.repository.text)}\n", to: tool.directory.appending("c.yaml"))
    TestFiles.setMode(tool.directory.appending("c.yaml"), 0o600)
    #expect(
      tool.run("list", "-r", "ofsite", "--config", "c.yaml").error.hasSuffix(
        "HINT: There is one by the name of offsite: did you mean --repository offsite?\n"))
  }

  @Test func aPathOfASnapshotMayBeSpelledAsPeopleDo() {
    tool.run("backup", "source")
    for (number, path) in ["./a/cache", "a/./cache/", "/a//cache"].enumerated() {
      let result = tool.run("restore", "--target", "restored \(number)", "--path", path)
      #expect(result.exitStatus == 0, "\(path): \(result.error)")
    }
  }
}
