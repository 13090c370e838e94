import HoldfastModel
import HoldfastTestSupport
import Testing

/// What systemd hands to a unit is found without being named.
@Suite struct CredentialTests {
  /// A directory as systemd makes it.
  private func credentials(_ tool: SealedTool) -> Path {
    let directory = tool.directory.appending("credentials")
    TestFiles.makeDirectory(directory, mode: 0o500)
    return directory
  }

  private func put(_ file: Path, into directory: Path, as name: String, mode: UInt32 = 0o400) {
    TestFiles.write(TestFiles.read(file) ?? [], to: directory.appending(name))
    TestFiles.setMode(directory.appending(name), mode)
  }

  @Test func identityPassphraseAndWriterKeyAreFound() {
    let tool = SealedTool()
    let directory = credentials(tool)
    let unit: (inout RunningProcess.Start) -> Void = {
      $0.environment["CREDENTIALS_DIRECTORY"] = directory.text
      $0.environment["HOLDFAST_WRITER_KEY_FILE"] = nil
      // Where a key would be looked for next.
      $0.environment["XDG_CONFIG_HOME"] = tool.directory.appending("nowhere").text
    }
    let recipient = tool.generate("identity")
    tool.generate("machine", "--writer")
    tool.writePassphrase("many words")
    put(tool.directory.appending("machine"), into: directory, as: "holdfast-writer-key")
    put(tool.directory.appending("passphrase"), into: directory, as: "holdfast-passphrase")
    #expect(tool.run("init", "--recipient", recipient, "--passphrase", configure: unit).exitStatus == 0)
    #expect(tool.run("backup", "source", configure: unit).exitStatus == 0)
    #expect(tool.run("cat", "latest", "orders", configure: unit).output == "an order", "by the passphrase")
    put(tool.directory.appending("machine"), into: directory, as: "holdfast-passphrase")
    #expect(tool.run("cat", "latest", "orders", configure: unit).exitStatus == 12)
    put(tool.identity, into: directory, as: "holdfast-identity")
    #expect(tool.run("cat", "latest", "orders", configure: unit).output == "an order", "by the identity")
    tool.generate("other")
    let named = tool.run("cat", "latest", "orders") {
      unit(&$0)
      $0.environment["HOLDFAST_IDENTITY_FILE"] = "other"
    }
    #expect(named.exitStatus == 12, "what is named comes before what is found")
  }

  /// For a unit with a user of its own, systemd grants the reading by an ACL, which shows in the mode.
  @Test(.requires(.root)) func aCredentialMayHaveTheModeThatSystemdGivesIt() {
    let tool = SealedTool()
    tool.makeRepository()
    tool.run("backup", "source")
    let directory = credentials(tool)
    let unit: (inout RunningProcess.Start) -> Void = { $0.environment["CREDENTIALS_DIRECTORY"] = directory.text }
    put(tool.identity, into: directory, as: "holdfast-identity", mode: 0o440)
    #expect(tool.run("cat", "latest", "orders", configure: unit).output == "an order")
    #expect(tool.run("cat", "latest", "orders", "--identity", "credentials/holdfast-identity").exitStatus == 12)
    let file = directory.appending("holdfast-identity")
    for mode in [0o444, 0o460, 0o604] as [UInt32] {
      TestFiles.setMode(file, mode)
      tool.run("verify", configure: unit).expectRefusal(
        12, "the identity file \(file) can be used by others (mode 0\(String(mode, radix: 8)))",
        hint: "Run `chmod 600 \(file)`, and think about who may have read it.")
    }
    TestFiles.setMode(file, 0o440)
    TestFiles.setOwner(file, userID: 0, groupID: 100)
    #expect(tool.run("verify", configure: unit).exitStatus == 12, "a group that somebody may be in")
  }

  @Test func aCredentialsDirectoryThatIsNoneIsLeftAlone() {
    let tool = SealedTool()
    tool.makeRepository()
    for directory in ["", "relative", tool.directory.appending("nowhere").text] {
      let result = tool.run("verify") { $0.environment["CREDENTIALS_DIRECTORY"] = directory }
      #expect(result.exitStatus == 0)
      #expect(result.output.hasPrefix("sealed, and no identity was named: "))
    }
  }
}
