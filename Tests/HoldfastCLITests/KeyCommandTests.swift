import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// Keys are made so that they are not lost and not given away, and the keyring says at any time who may what.
@Suite struct KeyCommandTests {
  // MARK: Generate

  @Test func anIdentityIsMadeForItsOwnerOnly() throws {
    let tool = SealedTool()
    let result = tool.run("key", "generate", "identity")
    #expect(result.exitStatus == 0)
    #expect(tool.plain(result.output) == "RECIPIENT\n")
    #expect(
      tool.plain(result.error)
        == "holdfast: keep DIR/identity away from the machines that take backups, and keep a second copy of it\n")
    #expect(TestFiles.permissions(tool.identity) == 0o600)
    let text = String(decoding: try #require(TestFiles.read(tool.identity)), as: UTF8.self)
    #expect(text.contains("# recipient: \(result.output)"))
    #expect(text.wholeMatch(of: /(#.+\n){3}holdfast-identity-[0-9a-f]{64}-[0-9a-f]{8}\n/) != nil)
    #expect(!result.output.contains(tool.secret("identity")))
    let loose = tool.tool.other("sh", "-c", #"umask 0; exec "$@""#, "sh", Tool.binary.text, "key", "generate", "loose")
    #expect(loose.exitStatus == 0)
    #expect(TestFiles.permissions(tool.directory.appending("loose")) == 0o600, "whatever the umask")
  }

  @Test func aWriterKeyIsMadeTheSameWay() throws {
    let tool = SealedTool()
    let result = tool.run("key", "generate", "--writer", "machine")
    #expect(result.exitStatus == 0)
    #expect(tool.plain(result.output) == "WRITER\n")
    #expect(result.error == "")
    #expect(TestFiles.permissions(tool.directory.appending("machine")) == 0o600)
    let text = String(decoding: try #require(TestFiles.read(tool.directory.appending("machine"))), as: UTF8.self)
    #expect(text.wholeMatch(of: /(#.+\n){3}holdfast-writer-secret-2-[0-9a-f]{64}-[0-9a-f]{8}\n/) != nil)
    let quiet = tool.run("key", "generate", "quiet", "--quiet")
    #expect(tool.plain(quiet.output) == "RECIPIENT\n")
    #expect(quiet.error == "")
    let json = tool.run("key", "generate", "json", "--json")
    #expect(
      tool.plain(json.output) == """
        {
          "file" : "DIR/json",
          "publicKey" : "RECIPIENT",
          "schema" : 1
        }

        """)
    #expect(json.error == "")
  }

  @Test(arguments: [[], ["--writer"]])
  func aKeyIsNeverReplaced(options: [String]) {
    let tool = SealedTool()
    TestFiles.symbolicLink("elsewhere", at: tool.directory.appending("link"))
    tool.generate("machine", "--writer")
    let before = TestFiles.read(tool.directory.appending("machine"))
    for name in ["machine", "source", "link"] {
      tool.run(["key", "generate", name] + options).expectRefusal(
        1, "\(tool.directory.path)/\(name) exists already",
        hint: "A key is never replaced: name another file, or move that one away.")
    }
    #expect(TestFiles.read(tool.directory.appending("machine")) == before)
    #expect(!TestFiles.exists(tool.directory.appending("elsewhere")))
    tool.run(["key", "generate", "nowhere/key"] + options).expectRefusal(
      1, "cannot create \(tool.directory.path)/nowhere/key: No such file or directory", hint: nil)
  }

  @Test(.requires(.mounts)) func aFullDiskLeavesNoHalfKey() throws {
    let tool = SealedTool()
    let disk = try SmallDisk(at: tool.directory.appending("disk"), mebibytes: 1)
    tool.tool.other("dd", "if=/dev/zero", "of=disk/full", "bs=4k")
    let key = disk.path.appending("key")
    tool.run("key", "generate", "disk/key").expectRefusal(
      1, "cannot write \(key): No space left on device",
      hint: "Free space on the file system of \(key), then run the same command again.")
    #expect(!TestFiles.exists(key))
    TestFiles.remove(disk.path.appending("full"))
    #expect(tool.run("key", "generate", "disk/key").exitStatus == 0, "the same command again")
  }

  // MARK: Keyring

  @Test func theKeyringIsListedWithWholeKeys() throws {
    let tool = SealedTool()
    let recipient = tool.makeRepository()
    let writer = try #require(
      String(decoding: TestFiles.read(tool.writerKey) ?? [], as: UTF8.self)
        .firstMatch(of: /# writer: (holdfast-writer-.+)/)
    ).1
    let (reader, machine) = (tool.shortIDs(of: "recipient")[0], tool.shortIDs(of: "writer")[0])
    let host = tool.tool.other("uname", "-n").output.dropLast()
    let list = tool.run("key", "list")
    #expect(list.exitStatus == 0)
    let lines = list.output.split(separator: "\n").map { $0.replacing(/[ ]{2,}/, with: "  ") }
    #expect(lines[0].wholeMatch(of: /keyring of [0-9a-f]{32}, revision 1, digest [0-9a-f]{64}/) != nil)
    #expect(
      lines.dropFirst() == [
        "  recipient  \(reader)  recipient-1  \(recipient)", "  writer  \(machine)  \(host)  may prune  \(writer)",
      ])
    let json = try #require(
      try JSONSerialization.jsonObject(with: Data(tool.run("key", "list", "--json").outputBytes)) as? [String: Any])
    #expect(Set(json.keys) == ["keyringDigest", "recipients", "repository", "revision", "schema", "writers"])
    #expect(json["revision"] as? Int == 1)
    let recipients = try #require(json["recipients"] as? [[String: Any]])
    #expect(recipients.map { $0["recipient"] as? String } == [recipient])
    #expect(recipients.map { $0["byPassphrase"] as? Bool } == [false])
    #expect((recipients[0]["id"] as? String)?.hasPrefix(reader) == true)
    let writers = try #require(json["writers"] as? [[String: Any]])
    #expect(writers.map { $0["writer"] as? String } == [String(writer)])
    #expect(writers.map { $0["revoked"] as? Bool } == [false])
  }

  @Test func anUnsealedRepositoryHasNoKeys() {
    let tool = SealedTool()
    tool.run("init", "--unsealed")
    for arguments in [["list"], ["remove", "somebody"], ["add", "--passphrase"]] {
      tool.run(["key"] + arguments).expectRefusal(
        1, "the repository in \(tool.repository) is not sealed: it has no keys",
        hint: "A sealed one is made by `holdfast init --recipient …`.")
    }
  }
}
