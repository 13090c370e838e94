import HoldfastModel
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Section 9 of the format's document is true: what was sealed once is opened by an implementation that was written
/// from it alone.
@Suite struct SealedRescueTests {
  private let directory = TemporaryDirectory()

  /// How the script is given a key: in a file that nobody else can read.
  private func options(_ key: SealedFixture.Key?) throws -> [String] {
    guard let key else { return [] }
    let (option, name) =
      switch key {
      case .identity: ("--identity", "identity.key")
      case .passphrase: ("--passphrase-file", "passphrase.txt")
      }
    let copy = directory.appending(name)
    TestFiles.write(try #require(TestFiles.read(SealedFixture.keyFile(name))), to: copy)
    TestFiles.setMode(copy, 0o600)
    return [option, copy.description]
  }

  private func rescue(_ arguments: String..., with key: SealedFixture.Key?) throws -> (status: Int32, output: String) {
    try RescueScript.run([SealedFixture.directory.description] + arguments + options(key))
  }

  @Test(arguments: GoldenSource.allCases, SealedFixture.Key.allCases)
  func theScriptRestoresWhatWasSealedOnce(_ golden: GoldenSource, with key: SealedFixture.Key) throws {
    golden.make(at: directory.appending("expected"))
    let target = directory.appending("restored")
    let result = try rescue(
      "restore", "\(golden.name)/000000000\(golden.sequence)", target.description, with: key)
    #expect(result.status == 0, "\(result.output)")
    #expect(TreeDescription(of: target).differences(from: TreeDescription(of: directory.appending("expected"))) == [])
  }

  @Test(arguments: [SealedFixture.Key.identity, .passphrase, nil])
  func theScriptProvesEveryStoredByteWithAKeyAndWithout(_ key: SealedFixture.Key?) throws {
    let result = try rescue("verify", with: key)
    #expect(result.status == 0, "\(result.output)")
  }

  @Test func withoutAKeyTheScriptRestoresNothing() throws {
    let target = directory.appending("restored")
    let result = try rescue("restore", "example/0000000001", target.description, with: nil)
    #expect(result.status == 1, "\(result.output)")
    #expect(TestFiles.allFiles(in: directory.path) == [])
  }
}
