import HoldfastModel
import HoldfastTestSupport
import Testing

/// A unit of systemd has no HOME, and finds the usual files of credentials all the same: in the home that the system's
/// list of users names.
@Suite struct CredentialHomeTests {
  private let tool = Tool()
  private let server = PretendS3()

  /// - Parameter home: HOME of the run; `nil` when it is not set.
  private func run(home: Path?) -> ProcessResult {
    let account = tool.directory.appending("account")
    TestFiles.makeDirectory(account)
    TestFiles.makeDirectory(account.appending(".aws"))
    TestFiles.write(
      "[default]\naws_access_key_id = OFACCOUNT\naws_secret_access_key = s\n", to: account.appending(".aws/credentials")
    )
    var start = tool.start(["init", "--unsealed", "-r", server.location])
    start.environment["HOME"] = home?.text
    start.environment["AWS_EC2_METADATA_DISABLED"] = "true"
    let list = "sed -i 's|^root:.*|root:x:0:0:root:\(account.text):/bin/sh|' /etc/passwd; exec \"$@\""
    start.arguments =
      (OwnMachine(in: tool.directory.path).prefix + ["sh", "-ec", list, "sh"]).map { Array($0.utf8) } + start.arguments
    return RunningProcess(start).wait()
  }

  @Test(.requires(.overlayMounts)) func withoutHOMETheHomeOfTheAccountCounts() {
    let result = run(home: nil)
    #expect(result.exitStatus == 0, "\(result.error)")
    #expect(server.requests.allSatisfy { $0.headers["authorization"]?.contains("Credential=OFACCOUNT/") == true })
    #expect(!TestFiles.exists(tool.directory.appending("account/.local")), "holdfast's own files lie where they did")
  }

  @Test(.requires(.overlayMounts)) func aHomeThatIsNamedIsTheOnlyOne() {
    #expect(run(home: tool.directory.appending("home")).exitStatus == 2)
    #expect(server.requests.isEmpty)
  }
}
