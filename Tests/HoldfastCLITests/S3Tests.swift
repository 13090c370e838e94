import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// A repository in a bucket is used as one in a directory is.
@Suite(.timeLimit(.minutes(30))) struct S3Tests {
  private let tool = SealedTool()

  /// Credentials in the environment, and nobody else to ask for some.
  private static func variables(secret: String = SeaweedFS.secretKey) -> [String: String] {
    [
      "AWS_ACCESS_KEY_ID": SeaweedFS.accessKeyID, "AWS_SECRET_ACCESS_KEY": secret,
      "AWS_EC2_METADATA_DISABLED": "true",
    ]
  }

  private func run(
    _ location: String, _ arguments: [String], _ environment: [String: String] = variables()
  ) -> ProcessResult {
    tool.run(arguments) { start in
      start.environment["HOLDFAST_REPOSITORY"] = location
      start.environment.merge(environment) { $1 }
    }
  }

  private func succeed(
    _ location: String, _ arguments: String..., environment: [String: String] = variables(),
    sourceLocation: SourceLocation = #_sourceLocation
  ) -> String {
    let result = run(location, arguments, environment)
    #expect(result.exitStatus == 0, "\(arguments): \(result.error)", sourceLocation: sourceLocation)
    #expect(!(result.output + result.error).contains(SeaweedFS.secretKey), sourceLocation: sourceLocation)
    return result.output
  }

  private func location() -> String { SeaweedFS.shared.location(prefix: "\(UInt64.random(in: .min ... .max))/") }

  // MARK: Everything works there

  @Test(.requires(.seaweedFS), arguments: [false, true]) func aRepositoryInABucket(isSealed: Bool) {
    let place = location()
    for number in 1...20 { TestFiles.write("order \(number)", to: tool.source.appending("\(number)")) }
    // Larger than two parts.
    TestFiles.write([UInt8](repeating: 5, count: 14 << 20), to: tool.source.appending("large"))
    let recipient = tool.generate("identity")
    _ = succeed(place, "init", isSealed ? "--recipient" : "--unsealed", isSealed ? recipient : "--quiet")
    var secrets = Self.variables()
    if isSealed { secrets["HOLDFAST_IDENTITY_FILE"] = tool.identity.text }
    _ = succeed(place, "backup", "source", "--name", "shop", "--compression", "none", "--full")
    TestFiles.write("order 21", to: tool.source.appending("21"))
    _ = succeed(place, "backup", "source", "--name", "shop", "--tag", "second")
    let listed = succeed(place, "list", environment: secrets)
    #expect(listed.contains("full") && listed.contains("incr"))
    _ = succeed(place, "status", environment: secrets)
    _ = succeed(place, "tag", "--add", "kept", "latest", environment: secrets)
    #expect(succeed(place, "list", environment: secrets).contains("kept"))
    _ = succeed(place, "verify", "--data", environment: secrets)
    #expect(succeed(place, "cat", "latest", "21", environment: secrets) == "order 21")
    _ = succeed(place, "restore", "latest", "--target", "restored", environment: secrets)
    #expect(
      TreeDescription(of: tool.directory.appending("restored")).differences(from: TreeDescription(of: tool.source))
        == [])
    _ = succeed(place, "backup", "source", "--name", "shop", "--full")
    _ = succeed(place, "prune", "--keep-last", "1", environment: secrets)
    let kept = succeed(place, "list", environment: secrets)
    #expect(kept.contains("full") && !kept.contains("incremental"))
    _ = succeed(place, "verify", "--data", environment: secrets)
  }

  /// The requests that `status` counts: the server's tags fit what this machine has written, and what it has read.
  @Test(.requires(.seaweedFS)) func whatThisMachineKeepsIsNotReadAgain() throws {
    let place = location()
    _ = succeed(place, "init", "--unsealed")
    for number in 1...12 {
      TestFiles.write("order \(number)", to: tool.source.appending("\(number)"))
      _ = succeed(place, "backup", "source", "--name", "shop")
    }
    func requests() throws -> Int {
      let words = succeed(place, "status", "--json").split { !$0.isLetter && !$0.isNumber }
      let index = try #require(words.firstIndex(of: "requests"))
      return try #require(Int(words[index + 1]))
    }
    let known = try requests()
    #expect(known <= 16)
    TestFiles.removeTree(tool.tool.cache)
    #expect(try requests() == known + 12, "every envelope is read once")
    #expect(try requests() == known)
    #expect(succeed(place, "cat", "latest", "7") == "order 7")
    #expect(succeed(place, "verify", "--data").isEmpty == false)
  }

  /// What one host has stored the other one finds, and neither stands in the way of the other.
  @Test(.requires(.seaweedFS)) func twoHostsShareARepository() {
    let place = location()
    let other = SealedTool()
    TestFiles.write("an account", to: other.source.appending("accounts"))
    _ = succeed(place, "init", "--unsealed")
    func onTheOther(_ arguments: String...) -> ProcessResult {
      other.run(arguments) { start in
        start.environment["HOLDFAST_REPOSITORY"] = place
        start.environment.merge(Self.variables()) { $1 }
      }
    }
    for _ in 1...2 {
      _ = succeed(place, "backup", "source", "--name", "orders")
      #expect(onTheOther("backup", "source", "--name", "accounts").exitStatus == 0)
    }
    for listed in [succeed(place, "list"), onTheOther("list").output] {
      #expect(listed.contains("orders") && listed.contains("accounts"))
    }
    let restored = onTheOther("restore", "latest", "--name", "orders", "--target", "restored")
    #expect(restored.exitStatus == 0, "\(restored.error)")
    #expect(
      TreeDescription(of: other.directory.appending("restored")).differences(from: TreeDescription(of: tool.source))
        == [])
    _ = succeed(place, "verify", "--data")
  }

  @Test(.requires(.seaweedFS)) func theConfigurationNamesTheBucketAndTheCredentials() {
    let keys = tool.directory.appending("keys")
    TestFiles.write(
      """
      [backup]
      aws_access_key_id = \(SeaweedFS.accessKeyID)
      aws_secret_access_key = \(SeaweedFS.secretKey)
      """, to: keys)
    TestFiles.setMode(keys, 0o600)
    TestFiles.makeDirectory(tool.tool.configuration)
    TestFiles.write(
      """
      repositories:
        shop: {url: '\(location())', credentials-file: \(keys.text), profile: backup, connections: 2}
      """, to: tool.tool.configuration.appending("holdfast.yaml"))
    for command in [["init", "--unsealed"], ["backup", "source"], ["list"]] {
      let result = tool.run(command + ["--repository", "shop"])
      #expect(result.exitStatus == 0, "\(command): \(result.error)")
    }
  }

  // MARK: Mistakes

  @Test(.requires(.seaweedFS)) func aWrongSecretIsToldOf() {
    let place = location()
    for command in [["init", "--unsealed"], ["list"], ["backup", "source"]] {
      run(place, command, Self.variables(secret: "hunter2")).expectRefusal(
        1, "\(place) refuses the credentials (SignatureDoesNotMatch)",
        hint:
          "They come from `credentials-file`, else AWS_ACCESS_KEY_ID, else the profile in ~/.aws, else the container or the machine. Try the same ones with `aws sts get-caller-identity`."
      )
    }
  }

  @Test func aBucketThatDoesNotExistIsToldOf() {
    let server = PretendS3()
    let place = server.location.replacing("/orders/", with: "/order/")
    for command in [["init", "--unsealed"], ["list"], ["backup", "source"]] {
      run(place, command).expectRefusal(
        2, "the bucket of \(place) does not exist",
        hint: "Make the bucket first; holdfast makes none, so that a mistyped name is told.")
    }
  }

  @Test func withoutCredentialsNobodyIsAsked() {
    let server = PretendS3()
    for command in [["init", "--unsealed"], ["list"], ["backup", "source"]] {
      run(server.location, command, ["AWS_EC2_METADATA_DISABLED": "true"]).expectRefusal(
        2,
        "there are no credentials for S3: neither variables nor a file nor a server of metadata has some",
        hint:
          "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with `credentials-file` in the configuration."
      )
    }
    #expect(server.requests.isEmpty)
  }

  /// The variables name a proxy, as for other programs; what they contain is not shown.
  @Test(arguments: ["https_proxy", "HTTPS_PROXY", "all_proxy"]) func aProxyThatRefusesIsNamed(_ variable: String) {
    let server = PretendS3(certificate: .loopback)
    let proxy = ScriptedServer("def answer(peer, request):\n    peer.reply(403)")
    let place = server.location.replacing("s3:http:", with: "s3:https:")
    var environment = Self.variables()
    environment["HOLDFAST_CA_FILE"] = server.certificates.text
    environment[variable] = "http://me:hunter2@127.0.0.1:\(proxy.port)"
    environment["no_proxy"] = "example.org"
    run(place, ["list"], environment).expectRefusal(
      1,
      "\(place.dropFirst("s3:".count).dropLast("/orders/shop/".count)) cannot be reached: the proxy http://127.0.0.1:\(proxy.port) refuses to connect to it (status 403)",
      hint:
        "Let the proxy permit it, or name the server in no_proxy; https_proxy has the name and password of a proxy that asks for them."
    )
    environment["no_proxy"] = "127.0.0.1"
    #expect(run(place, ["init", "--unsealed"], environment).exitStatus == 0)
  }

  /// Whoever makes the repository is told before there is one.
  @Test(.requires(.rclone)) func aServerThatReplacesObjectsIsRefused() {
    let server = RcloneServer()
    let place = server.location
    run(place, ["init", "--unsealed"]).expectRefusal(
      2,
      "\(place) replaces objects that are there, though it was asked not to: two machines could replace each other's snapshots",
      hint:
        "If only one machine writes there, say `single-writer: yes` in the configuration, or HOLDFAST_SINGLE_WRITER=yes; else take another server."
    )
  }

  /// Whoever says that only one machine writes can use such a server, and is told again and again.
  @Test(.requires(.rclone)) func aServerThatReplacesObjectsServesASingleWriter() throws {
    let server = RcloneServer()
    defer { withExtendedLifetime(server) {} }
    let place = server.location
    var variables = Self.variables()
    variables["HOLDFAST_SINGLE_WRITER"] = "yes"
    let weakness =
      "\(place) replaces objects that are there: of two machines that commit at the same moment one may replace what the other has just committed; let only one write there"
    for number in 1...20 { TestFiles.write("order \(number)", to: tool.source.appending("\(number)")) }
    TestFiles.write("", to: tool.source.appending("empty"))
    TestFiles.write([UInt8](repeating: 5, count: 14 << 20), to: tool.source.appending("large"))
    let made = run(place, ["init", "--unsealed"], variables)
    #expect(made.exitStatus == 0 && made.error == "holdfast: WARNING: \(weakness)\n", "\(made.error)")
    _ = succeed(place, "backup", "source", "--name", "shop", "--compression", "none", environment: variables)
    TestFiles.write("order 21", to: tool.source.appending("21"))
    _ = succeed(place, "backup", "source", "--name", "shop", environment: variables)
    _ = succeed(place, "verify", "--data", environment: variables)
    _ = succeed(place, "restore", "latest", "--target", "restored", environment: variables)
    #expect(
      TreeDescription(of: tool.directory.appending("restored")).differences(from: TreeDescription(of: tool.source))
        == [])
    _ = succeed(place, "backup", "source", "--name", "shop", "--full", environment: variables)
    _ = succeed(place, "prune", "--keep-last", "1", "--grace", "0s", environment: variables)
    let kept = succeed(place, "list", environment: variables)
    #expect(kept.contains("full") && !kept.contains("incremental"))
    let status = run(place, ["status"], variables)
    #expect(status.exitStatus == 0 && status.error == "holdfast: WARNING: \(weakness)\n", "\(status.error)")
    let json = run(place, ["status", "--json"], variables).outputBytes
    let told = try #require(try JSONSerialization.jsonObject(with: Data(json)) as? [String: Any])
    #expect(told["weaknesses"] as? [String] == [weakness])
  }
}
