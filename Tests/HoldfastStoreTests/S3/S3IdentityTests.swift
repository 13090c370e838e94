import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// The identity that an operator means is used, or an error names it: never another one in its place, and never one
/// that others have put there.
@Suite(.timeLimit(.minutes(30))) struct S3IdentityTests {
  private let directory = TemporaryDirectory()
  private static let keys = "aws_access_key_id = id\naws_secret_access_key = secret\n"

  private func file(_ text: String, _ name: String, mode: UInt32 = 0o600) -> Path {
    let path = directory.appending(name)
    TestFiles.write(text, to: path)
    TestFiles.setMode(path, mode)
    return path
  }

  /// A virtual machine would have keys, too.
  private static let machine = """
    def answer(peer, request):
        peer.body()
        peer.reply(200, {}, "host" if not request.target.endswith("host") else json.dumps({
            "AccessKeyId": "machine", "SecretAccessKey": "s", "Token": "t", "Expiration": "2100-01-01T00:00:00Z"}))
    """

  private func places(_ server: ScriptedServer? = nil) -> S3CredentialPlaces {
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.instance = server.map { "http://127.0.0.1:\($0.port)" }
    return places
  }

  private func find(_ places: S3CredentialPlaces) throws -> S3Credentials {
    try S3CredentialChain(places, files: FileSystem()).credentials(Clock.system.now())
  }

  private func refusal(_ places: S3CredentialPlaces) -> String {
    let error = #expect(throws: S3Error.self) { try find(places) }
    return error.map { "\($0.description) [\($0.scope)]" } ?? ""
  }

  // MARK: Whose keys

  @Test func aRoleForATokenIsNotPassedOver() throws {
    let server = ScriptedServer(Self.machine)
    var places = places(server)
    places.usualFile = file("[default]\n" + Self.keys, "credentials")
    places.namesWebIdentity = true
    #expect(
      refusal(places) == """
        there are no credentials for S3: AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN name a role, which holdfast does not ask for
        HINT: Let the AWS CLI fetch them: name a file with `credentials-file` in the configuration, with `credential_process = aws configure export-credentials --format process` in its section [default]; or unset both. [usage]
        """)
    #expect(server.requests.isEmpty)
    places.file = places.usualFile
    #expect(try find(places).accessKeyID == "id", "a file that is named counts before variables")
  }

  /// A profile with a role has keys with which the role is asked for; used by themselves they are another identity.
  @Test(arguments: [false, true]) func keysOfAProfileWithARoleAreNotUsedByThemselves(isInOneFile: Bool) throws {
    var places = places()
    let role = "role_arn = arn:aws:iam::1:role/backup\n"
    places.profile = "shop"
    places.usualFile = file("[shop]\n" + Self.keys + (isInOneFile ? role : ""), "credentials")
    places.usualConfiguration = file("[profile shop]\n" + (isInOneFile ? "region = x\n" : role), "config")
    let named = directory.appending(isInOneFile ? "credentials" : "config")
    #expect(
      refusal(places) == """
        there are no credentials for S3: the profile shop in \(named) has role_arn, which holdfast does not read
        HINT: Let the AWS CLI fetch them: a profile with `credential_process = aws configure export-credentials --profile shop --format process`. [usage]
        """)
  }

  @Test func aProfileThatNoFileHasIsNamed() throws {
    let server = ScriptedServer(Self.machine)
    var places = places(server)
    places.usualFile = file("[default]\n" + Self.keys, "credentials")
    places.usualConfiguration = directory.appending("config")
    places.profile = "shpo"
    #expect(
      refusal(places) == """
        there are no credentials for S3: there is no profile shpo in \(directory.appending("credentials")) or \(directory.appending("config"))
        HINT: Correct AWS_PROFILE, or `profile` in the configuration; no other identity is taken in its place. [usage]
        """)
    #expect(server.requests.isEmpty)
    // A profile may say something else than keys, and then the machine has them.
    _ = file("[profile shpo]\nregion = x\n", "config")
    #expect(try find(places).accessKeyID == "machine")
    // Nobody has named the usual one.
    places.profile = nil
    places.usualFile = nil
    #expect(try find(places).accessKeyID == "machine")
  }

  // MARK: Whose files

  /// Whoever can write it says what is run as this user.
  @Test(arguments: [(0o620, false), (0o602, false), (0o640, true), (0o644, true), (0o600, true)] as [(UInt32, Bool)])
  func aUsualFileThatOthersMayWriteIsRefused(_ mode: UInt32, isTaken: Bool) throws {
    for name in ["credentials", "config"] {
      var places = places()
      let run = directory.appending("run")
      let path = file(
        "[default]\ncredential_process = touch \(run); echo '{\"AccessKeyId\": \"id\", \"SecretAccessKey\": \"s\"}'\n",
        name, mode: mode)
      if name == "config" { places.usualConfiguration = path } else { places.usualFile = path }
      if isTaken {
        #expect(try find(places).accessKeyID == "id")
        continue
      }
      #expect(
        refusal(places) == """
          the file \(path) can be written by others (mode 0\(String(mode, radix: 8)))
          HINT: Look at what stands in it, and run `chmod go-w \(path)`. [machine]
          """)
      #expect(!TestFiles.exists(run))
    }
  }

  /// holdfast's own file holds secrets and nothing else.
  @Test(arguments: [0o620, 0o602, 0o640, 0o604] as [UInt32])
  func aNamedFileThatOthersMayUseIsRefused(_ mode: UInt32) throws {
    var places = places()
    let path = file("[default]\n" + Self.keys, "keys", mode: mode)
    places.file = path
    #expect(
      refusal(places) == """
        the file \(path) can be used by others (mode 0\(String(mode, radix: 8)))
        HINT: Run `chmod 600 \(path)`, and think about who may have read it. [machine]
        """)
    // As systemd lets the user of a unit read a credential.
    places.allowedOfFile = 0o040
    if mode == 0o640 { #expect(try find(places).accessKeyID == "id") }
  }

  @Test(.requires(.root)) func aFileOfAnotherUserIsRefused() throws {
    var places = places()
    let path = file("[default]\n" + Self.keys, "credentials")
    TestFiles.setOwner(path, userID: 1234, groupID: 0)
    for isNamed in [false, true] {
      (places.file, places.usualFile) = isNamed ? (path, nil) : (nil, path)
      #expect(
        refusal(places) == """
          the file \(path) belongs to another user (1234)
          HINT: Run as that user, or use a copy that belongs to the one you are (0). [machine]
          """)
    }
  }

  // MARK: Whoever does not answer

  @Test func aCommandThatDoesNotEndIsEnded() {
    for command in ["echo hunter2; sleep 1000", "exec >&-; sleep 1000 # hunter2"] {
      var places = places()
      places.usualFile = file("[default]\ncredential_process = \(command)\n", "credentials")
      places.commandTimeout = .milliseconds(300)
      let error = #expect(throws: ShellCommandError.self) { try find(places) }
      #expect(
        error?.description == """
          the credential_process of the profile default took longer than 0 s, and was ended
          HINT: Run the credential_process of the profile default by itself to see what it says.
          """)
    }
  }

  /// A server of metadata that is busy has keys: that is no machine without any, and the request is made again.
  @Test(arguments: ["429", "503", "silent"], ["token", "security-credentials/", "host"])
  func aServerOfMetadataThatIsBusyIsAskedAgain(_ answer: String, _ target: String) throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          peer.body()
          if request.target.endswith("\(target)"):
              if "\(answer)" == "silent":
                  time.sleep(1000)
              return peer.reply(int("\(answer)"), {}, "")
          peer.reply(200, {}, "host")
      """)
    var places = places(server)
    places.metadataTimeout = .milliseconds(700)
    let error = #expect(throws: HTTPError.self) { try find(places) }
    #expect(error?.scope == .transient)
  }

  /// Such as a server of something else at that address, or a machine without a role.
  @Test(arguments: [401, 403, 404]) func aServerWithoutKeysHasNone(_ status: Int) {
    let server = ScriptedServer("def answer(peer, request):\n    peer.body()\n    peer.reply(\(status), {}, \"\")")
    #expect(refusal(places(server)).hasPrefix("there are no credentials for S3: neither variables nor a file"))
  }

  // MARK: Keys that have ended

  /// A role may have been changed: other keys are looked for once, and the request is made once more.
  @Test(arguments: [1, 2]) func keysThatHaveEndedAreLookedForAnewOnce(times: Int) throws {
    let server = PretendS3()
    server.fail(.init("PUT", "", .refuse(400, "ExpiredToken"), times: times))
    let (run, text) = (directory.appending("run"), "[default]\ncredential_process = ")
    var places = places()
    places.usualFile = file(
      text + "echo >> \(run); n=$(wc -l < \(run)); echo '{\"AccessKeyId\": \"id'$n'\", \"SecretAccessKey\": \"s\"}'\n",
      "credentials")
    let chain = S3CredentialChain(places, files: FileSystem())
    let store = server.store {
      $0.credentials = { try chain.credentials($0) }
      $0.forget = { chain.forget($0) }
    }
    let put = {
      let writer = try store.create("key")
      try ([1, 2] as [UInt8]).withUnsafeBytes { try writer.append($0) }
      try writer.commit()
    }
    if times == 1 {
      try put()
    } else {
      #expect(throws: S3Error.credentialsRefused(location: server.location, code: "ExpiredToken")) { try put() }
    }
    let ids = server.requests.filter { $0.method == "PUT" }.compactMap { request in
      request.headers.values.first { $0.contains("Credential=") }?.firstMatch(of: /Credential=(\w+)/)?.output.1
    }
    #expect(ids == ["id1", "id2"])
    // Keys that are the same as before are not tried again.
    server.fail(.init("GET", "", .refuse(400, "ExpiredToken")))
    let before = server.requests.count
    let lasting = server.store()
    #expect(throws: S3Error.self) { try lasting.names(below: "") }
    #expect(server.requests.count == before + 1)
  }
}
