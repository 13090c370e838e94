import HoldfastModel
import HoldfastTestSupport
import Testing

/// A repository is named by its location, and known by its ID: however it is spelled.
@Suite struct LocationTests {
  /// Each spelling of one repository, as an argument of `--repository`.
  enum Spelling: CaseIterable { case trailingSlash, doubled, dotted, relative, link, configured }

  private func argument(_ spelling: Spelling, _ tool: SealedTool) -> String {
    switch spelling {
    case .trailingSlash: return tool.repository.text + "/"
    case .doubled: return tool.directory.path.text + "//repository"
    case .dotted: return tool.directory.path.text + "/source/../repository"
    case .relative: return "./repository"
    case .link:
      TestFiles.symbolicLink("repository", at: tool.directory.appending("link"))
      return "link"
    case .configured:
      TestFiles.write(
        "repositories: {shop: {path: \(tool.repository.text)}}\n", to: tool.directory.appending("holdfast.yaml"))
      return "shop"
    }
  }

  /// What this machine has seen of it by one name counts under every other one: a snapshot that was taken away is
  /// missed.
  @Test(arguments: Spelling.allCases) func anotherSpellingIsTheSameRepository(_ spelling: Spelling) throws {
    let tool = SealedTool()
    tool.makeRepository()
    for _ in 1...2 { #expect(tool.run("backup", "source", "--full").exitStatus == 0) }
    TestFiles.removeTree(tool.repository.appending("sources/source/0000000002"))
    let named = argument(spelling, tool)
    let result = tool.run("list", "--repository", named) {
      if spelling == .configured {
        $0.environment["HOLDFAST_CONFIG"] = tool.directory.appending("holdfast.yaml").text
      }
      $0.environment["HOLDFAST_REPOSITORY"] = nil
    }
    #expect(result.error.contains("0000000002/manifest.json is damaged: it is missing, and this machine has seen it"))
  }

  /// Nothing is asked of a server without credentials, and nothing is left behind.
  @Test func aBucketWithoutCredentialsIsAnErrorOfUsage() {
    let tool = Tool()
    for command in [
      ["init", "--unsealed"], ["backup", tool.source.text], ["list"], ["restore", "--target", "restored"],
    ] {
      var start = tool.start(command + ["--repository", "s3:https://s3.example/bucket/shop"])
      start.environment["AWS_EC2_METADATA_DISABLED"] = "true"
      RunningProcess(start).wait().expectRefusal(
        2, "there are no credentials for S3: neither variables nor a file nor a server of metadata has some",
        hint:
          "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with `credentials-file` in the configuration."
      )
    }
    #expect(TestFiles.names(in: tool.directory.path) == ["source"])
  }

  @Test func aLocationThatIsNotSoundIsAnErrorOfUsage() {
    Tool().run("list", "-r", "s3:orders").expectRefusal(
      2, "the location s3:orders is not sound: it does not go on with https://",
      hint:
        "Write s3:https://HOST[:PORT]/BUCKET[/PREFIX]; a directory whose name begins with s3: is written ./s3:NAME."
    )
  }

  /// A mistyped scheme would make a repository on the disk that is to be backed up.
  @Test(arguments: ["ssh://backup@nas/srv", "backup@nas:/srv/shop"])
  func aServerThatIsNamedInAnotherWayIsNotMadeADirectory(_ text: String) {
    let tool = Tool()
    tool.run("init", "--unsealed", "-r", text).expectRefusal(
      2, "\(text) looks like a server, and is no location of one",
      hint: "Write sftp:USER@HOST[:PORT]/PATH; with ./ in front it is a directory of this machine.")
    #expect(TestFiles.names(in: tool.directory.path) == ["source"])
    #expect(tool.run("init", "--unsealed", "-r", "./\(text)").exitStatus == 0)
    // A directory that is there is known by its name, unless that has the form of a scheme.
    #expect(tool.run("list", "-r", text).exitStatus == (text.contains("//") ? 2 : 0))
  }

  /// On the terminal, in `config show`, and where a run that fails is told of.
  @Test(arguments: [
    ("sftp://shop:hunter2@nas.example/srv/x", "sftp:…@nas.example/srv/x"),
    ("s3://AKID:hunter2@s3.example/bucket", "s3:…@s3.example/bucket"),
  ])
  func aPasswordInALocationIsShownNowhere(_ text: String, _ shown: String) {
    let tool = Tool()
    TestFiles.write("order", to: tool.source.appending("orders"))
    let message = "the location \(shown) has a password or a key in it"
    for command in [["list"], ["init", "--unsealed"], ["backup", "source"], ["status"]] {
      let result = RunningProcess(tool.start(command + ["-r", text])).wait()
      #expect(
        result.exitStatus == 2 && result.error.hasPrefix("holdfast: \(message)\nHINT: Write s"), "\(result.error)")
      #expect(!(result.output + result.error).contains("hunter2"))
    }
    let file = tool.directory.appending("holdfast.yaml")
    let told = tool.directory.appending("told")
    TestFiles.write(
      """
      repositories: {shop: {url: '\(text)'}}
      sources: {orders: {path: \(tool.source.text)}}
      notifications: {all: {command: 'cat >> \(told.text); env >> \(told.text)', on: [start, success, failure]}}

      """, to: file)
    for command in [["run"], ["config", "show"], ["config", "show", "--json"], ["list", "-r", "shop"]] {
      var start = tool.start(command + ["--config", file.text])
      start.environment["HOLDFAST_REPOSITORY"] = nil
      let result = RunningProcess(start).wait()
      #expect(!(result.output + result.error).contains("hunter2"), "\(command)")
      #expect((result.output + result.error).contains(shown), "\(command): \(result.output)\(result.error)")
    }
    let texts = String(decoding: TestFiles.read(told) ?? [], as: UTF8.self)
    #expect(texts.contains(message) && !texts.contains("hunter2"), "\(texts)")
  }

  @Test func aDirectoryWithAColonInItsNameIsADirectory() {
    let tool = Tool()
    TestFiles.write("order", to: tool.source.appending("orders"))
    for named in ["./s3:x", tool.directory.appending("sftp:y").text, "a:b"] {
      #expect(tool.run("init", "--unsealed", "-r", named).exitStatus == 0)
      #expect(tool.run("backup", "source", "-r", named).exitStatus == 0)
      #expect(tool.run("list", "-r", named).output.contains("full"))
    }
    #expect(TestFiles.names(in: tool.directory.path).filter { $0.contains(":") }.sorted() == ["a:b", "s3:x", "sftp:y"])
  }
}
