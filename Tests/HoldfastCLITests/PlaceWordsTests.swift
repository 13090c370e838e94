import HoldfastModel
import HoldfastTestSupport
import Testing

/// Messages speak of a server as of a server, and of a bucket as of a bucket.
@Suite(.timeLimit(.minutes(30))) struct PlaceWordsTests {
  private let tool = Tool()

  private func run(_ location: String, _ arguments: String...) -> ProcessResult {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = location
    start.environment["HOLDFAST_SSH_COMMAND"] = SFTPServerProgram.plain
    start.environment["AWS_ACCESS_KEY_ID"] = "AKIDHARMLESS"
    start.environment["AWS_SECRET_ACCESS_KEY"] = "harmless"
    return RunningProcess(start).wait()
  }

  private var server: String { "sftp:backup@server.example\(tool.repository.text)" }

  @Test(.requires(.sftpServer)) func aServer() {
    run(server, "list").expectRefusal(
      10, "there is no repository in \(server)",
      hint:
        "Is the path right, and the server's disk mounted? If it is new, run `holdfast init --repository \(server)`; else name another place with --repository."
    )
    #expect(
      tool.plain(run(server, "init", "--unsealed").output) == """
        made repository ID in \(tool.plain(server))
        it is not sealed: whoever can read that directory on the server can read the orders in it

        """)
    let source = "sftp:backup@server.example\(tool.source.text)"
    TestFiles.write("mine", to: tool.source.appending("orders"))
    run(source, "init", "--unsealed").expectRefusal(
      1, "\(source) is not empty", hint: "Name a directory on the server that is empty or does not exist.")
    #expect(
      tool.plain(run(server, "check").output).contains(
        "  this host can remove what is stored: `holdfast init --append-only-recipe` prints what keeps it from that\n"))
  }

  @Test func aBucket() {
    let s3 = PretendS3()
    run(s3.location, "list").expectRefusal(
      10, "there is no repository in \(s3.location)",
      hint:
        "Are the bucket and the prefix right? If it is new, run `holdfast init --repository \(s3.location)`; else name another place with --repository."
    )
    #expect(
      tool.plain(run(s3.location, "init", "--unsealed").output) == """
        made repository ID in \(s3.location)
        it is not sealed: whoever can read that bucket can read the orders in it

        """)
    let other = PretendS3()
    #expect(run(other.location + "one", "init", "--unsealed").exitStatus == 0)
    run(other.location, "init", "--unsealed").expectRefusal(
      1, "\(other.location) is not empty", hint: "Name a prefix below which there is nothing.")
  }
}
