import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// What `Scripts/install` puts somewhere works there, and goes without a trace.
@Suite struct InstallTests {
  private let tool = Tool()
  private var prefix: Path { tool.directory.appending("prefix") }

  @discardableResult
  private func install(_ arguments: String...) -> ProcessResult {
    var start = RunningProcess.Start([Tool.root.appending("Scripts/install").text] + arguments)
    start.environment = tool.environment
    start.directory = tool.directory.path
    return RunningProcess(start).wait()
  }

  private func names(below path: Path) -> [String] {
    TestFiles.allFiles(in: path).map { String($0.text.dropFirst(path.text.count + 1)) }.sorted()
  }

  @Test func itPutsEachThingWhereItIsLookedFor() throws {
    let installed = install("--prefix", prefix.text, "--binary", Tool.binary.text)
    #expect(installed.exitStatus == 0, "\(installed.error)")
    #expect(installed.error == "")
    let names = names(below: prefix)
    let expected = [
      "bin/holdfast", "share/bash-completion/completions/holdfast", "share/fish/vendor_completions.d/holdfast.fish",
      "share/holdfast/installed", "share/man/man1/holdfast-backup.1", "share/man/man1/holdfast-key-generate.1",
      "share/man/man1/holdfast.1", "share/zsh/site-functions/_holdfast",
    ]
    #expect(Set(names).isSuperset(of: expected), "\(names)")
    for name in names where name != "share/holdfast/installed" {
      #expect(installed.output.contains("installed \(prefix.text)/\(name)\n"), "\(name)")
      #expect(TestFiles.permissions(prefix.appending(name)) == (name == "bin/holdfast" ? 0o755 : 0o644), "\(name)")
    }
    for directory in ["", "bin", "share", "share/man/man1"] {
      #expect(TestFiles.permissions(directory.isEmpty ? prefix : prefix.appending(directory)) == 0o755, "\(directory)")
    }
    let version = tool.other(prefix.appending("bin/holdfast").text, "--version")
    #expect(version.output.hasPrefix("\(Program.nameAndVersion)\n"))

    let removed = install("--prefix", prefix.text, "--uninstall")
    #expect(removed.exitStatus == 0, "\(removed.error)")
    #expect(removed.error == "")
    for name in names where name != "share/holdfast/installed" {
      #expect(removed.output.contains("removed \(prefix.text)/\(name)\n"), "\(name)")
    }
    #expect(!TestFiles.exists(prefix))
  }

  @Test func whatIsNotItsOwnStays() {
    TestFiles.makeDirectory(prefix)
    TestFiles.makeDirectory(prefix.appending("bin"))
    TestFiles.write("mine", to: prefix.appending("bin/mine"))
    install("--prefix", prefix.text, "--binary", Tool.binary.text)
    install("--prefix", prefix.text, "--binary", Tool.binary.text)
    TestFiles.write("changed", to: prefix.appending("share/man/man1/holdfast.1"))
    let removed = install("--prefix", prefix.text, "--uninstall")
    #expect(removed.exitStatus == 1)
    #expect(removed.error == "install: \(prefix.text)/share/man/man1/holdfast.1 was changed since, and stays\n")
    #expect(names(below: prefix) == ["bin/mine", "share/man/man1/holdfast.1"])
    let again = install("--prefix", prefix.text, "--uninstall")
    #expect(again.exitStatus == 1)
    #expect(again.error == "install: nothing is installed below \(prefix.text)\n")
  }

  @Test func aPackageIsMadeBelowADirectoryThatIsNotThePrefix() {
    let installed = install("--destdir", "package", "--prefix", "/usr", "--binary", Tool.binary.text)
    #expect(installed.exitStatus == 0, "\(installed.error)")
    #expect(installed.output.contains("installed /usr/bin/holdfast\n"))
    #expect(TestFiles.exists(tool.directory.appending("package/usr/bin/holdfast")))
    #expect(install("--destdir", "package", "--prefix", "/usr", "--uninstall").exitStatus == 0)
    #expect(TestFiles.allFiles(in: tool.directory.appending("package")).isEmpty)
  }

  /// A binary that is written over while it runs is killed, or cannot be written (ETXTBSY).
  @Test func aRunningHoldfastGoesOnWhileItIsReplaced() throws {
    install("--prefix", prefix.text, "--binary", Tool.binary.text)
    tool.run("init", "--unsealed")
    let gate = ClosedGate(in: tool.directory.path)
    var start = tool.start(["backup", "--from-command", "\(gate.wait); echo done", "--name", "shop"])
    start.arguments[0] = prefix.appending("bin/holdfast").bytes
    let running = RunningProcess(start)
    let before = TestFiles.status(prefix.appending("bin/holdfast"))?.inode
    #expect(install("--prefix", prefix.text, "--binary", Tool.binary.text).exitStatus == 0)
    #expect(TestFiles.status(prefix.appending("bin/holdfast"))?.inode != before)
    gate.open()
    #expect(running.wait().exitStatus == 0)
    #expect(TestFiles.names(in: prefix.appending("bin")) == ["holdfast"])
  }

  @Test(arguments: [["--prefix"], ["--prefix", ""], ["--frobnicate"]])
  func whatIsTypedWronglyIsToldWithTheUsage(arguments: [String]) {
    var start = RunningProcess.Start([Tool.root.appending("Scripts/install").text] + arguments)
    start.environment = tool.environment
    let result = RunningProcess(start).wait()
    #expect(result.exitStatus == 2)
    #expect(result.error.hasPrefix("Usage: Scripts/install [--prefix DIR]"), "\(result.error)")
  }

  @Test func aRelativePrefixIsRefused() {
    let result = install("--prefix", "here")
    #expect(result.exitStatus == 2)
    #expect(result.error == "install: the prefix is an absolute path: here\n")
  }
}
