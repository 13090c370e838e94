import HoldfastModel
import HoldfastTestSupport
import Testing

/// Who restores without privileges into a directory that he may not write in: it is opened for that, and as it was
/// afterwards.
@Suite(.requires(.unprivilegedUser)) struct RestoreReadOnlyTests {
  private let tool = Tool()
  private var target: Path { tool.directory.appending("target") }

  /// A snapshot of a read-only directory with a file and a link, restored by a user without privileges.
  private func restored() throws -> Unprivileged {
    for name in ["ro", "ro/inner"] { TestFiles.makeDirectory(tool.source.appending(name)) }
    for name in ["ro/a", "ro/inner/b"] { TestFiles.write("invoice", to: tool.source.appending(name)) }
    TestFiles.symbolicLink("a", at: tool.source.appending("ro/link"))
    for name in ["ro/inner", "ro"] { TestFiles.setMode(tool.source.appending(name), 0o555) }
    TestFiles.setMode(tool.directory.path, 0o777)
    let nobody = try Unprivileged(tool)
    nobody.run("init", "--unsealed")
    nobody.run("backup", "source")
    #expect(nobody.run("restore", "--target", target.text).exitStatus == 0)
    return nobody
  }

  /// Servers of other tests may run, and a user who is not root is told that he cannot look at them.
  private func isQuiet(_ text: String) -> Bool {
    text.split(separator: "\n").allSatisfy { $0.contains("cannot be looked at by this user") }
  }

  private func expectModes(_ mode: UInt32) {
    for name in ["ro", "ro/inner"] { #expect(TestFiles.permissions(target.appending(name)) == mode) }
  }

  @Test func whatIsMissingInItIsBroughtBack() throws {
    let nobody = try restored()
    for name in ["ro", "ro/inner"] { TestFiles.setMode(target.appending(name), 0o755) }
    for name in ["ro/a", "ro/link", "ro/inner/b"] { TestFiles.remove(target.appending(name)) }
    for name in ["ro/inner", "ro"] { TestFiles.setMode(target.appending(name), 0o511) }
    let result = nobody.run("restore", "--target", target.text, "--missing-only", "--quiet")
    #expect(result.exitStatus == 0 && isQuiet(result.error))
    for name in ["ro/a", "ro/link", "ro/inner/b"] {
      #expect(TestFiles.read(target.appending(name)) == Array("invoice".utf8), "\(name)")
    }
    expectModes(0o511)
  }

  @Test func aPathBelowItIsRestoredAlone() throws {
    let nobody = try restored()
    TestFiles.write("xnvoice", to: target.appending("ro/inner/b"))
    for name in ["ro", "ro/inner"] { TestFiles.setMode(target.appending(name), 0o500) }
    let result = nobody.run(
      "restore", "--target", target.text, "--delta", "--path", "ro/inner/b", "--yes", "--quiet")
    #expect(result.exitStatus == 0 && isQuiet(result.error))
    #expect(TestFiles.read(target.appending("ro/inner/b")) == Array("invoice".utf8))
    expectModes(0o500)
  }
}
