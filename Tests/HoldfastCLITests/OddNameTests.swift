import HoldfastModel
import HoldfastTestSupport
import Testing

/// A name is bytes. What is printed of it never reaches the terminal as a control sequence, and is taken back as it was
/// printed.
@Suite struct OddNameTests {
  private static let names: [(bytes: [UInt8], shown: String)] = [
    (Array("back\\slash".utf8), "back\\\\slash"), (Array("esc\u{1B}[31m".utf8), "esc\\x1b[31m"),
    (Array("inv".utf8) + [0xff, 0xfe], "inv\\xff\\xfe"), (Array("line\nbreak".utf8), "line\\x0abreak"),
    (Array("\u{202E}left".utf8), "\\xe2\\x80\\xaeleft"), (Array("über".utf8), "über"),
  ]

  @Test func whatIsPrintedOfAnOddNameIsHarmlessAndTakenBack() {
    let tool = Tool()
    for name in Self.names { TestFiles.write("of " + name.shown, to: tool.source.appending(name.bytes)) }
    tool.run("init", "--unsealed")
    let backup = tool.run("backup", "source")
    #expect(backup.exitStatus == 0)
    for command in [["show", "--files"], ["show", "--files", "--json"], ["diff", "latest", "latest"]] {
      let result = RunningProcess(tool.start(command)).wait()
      let bytes = result.outputBytes + result.errorBytes
      #expect(!bytes.contains { ($0 < 0x20 && $0 != 0x0a) || $0 == 0x7f }, "\(command)")
      #expect(String(validating: bytes, as: UTF8.self) != nil, "\(command)")
    }
    let files = tool.run("show", "--files").output
    for name in Self.names {
      #expect(files.contains("  \(name.shown)\n"), "\(files)")
      let cat = tool.run("cat", "latest", name.shown)
      #expect(cat.exitStatus == 0)
      #expect(cat.output == "of " + name.shown)
    }
    for (index, name) in Self.names.enumerated() {
      let target = tool.directory.appending("restored\(index)")
      let result = tool.run("restore", "--target", target.text, "--path", name.shown)
      #expect(result.exitStatus == 0, "\(result.error)")
      #expect(TestFiles.read(target.appending(name.bytes)) == Array("of \(name.shown)".utf8))
      #expect(TestFiles.names(in: target).count == 1)
    }
  }

  @Test func aPathThatIsNotInTheSnapshotIsRefusedAsItWasTyped() {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("orders"))
    tool.run("init", "--unsealed")
    tool.run("backup", "source")
    let missing = tool.run("restore", "--target", "restored", "--path", "no\\x1bthing")
    #expect(missing.exitStatus == 1)
    #expect(
      missing.error == """
        holdfast: the snapshot has no no\\x1bthing
        HINT: Run `holdfast show SNAPSHOT --files` to see what it has.

        """)
    let outside = tool.run("cat", "latest", "../secret")
    #expect(outside.exitStatus == 2)
    #expect(
      outside.error == """
        holdfast: "../secret" is not a path within a snapshot
        HINT: Give it as `holdfast show --files` prints it.

        """)
  }
}
