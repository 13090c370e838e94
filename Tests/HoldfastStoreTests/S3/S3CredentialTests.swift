import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Credentials are found where AWS has them, in its order, and temporary ones are asked for again in time.
@Suite(.timeLimit(.minutes(30))) struct S3CredentialTests {
  private let directory = TemporaryDirectory()
  private let now: Timestamp

  init() throws { now = try #require(TimeText.parse("2026-11-29T12:00:00Z")) }

  private func file(_ text: String, _ name: String = "credentials") -> Path {
    let path = directory.appending(name)
    TestFiles.write(text, to: path)
    TestFiles.setMode(path, 0o600)
    return path
  }

  private func find(_ places: S3CredentialPlaces) throws -> S3Credentials {
    try S3CredentialChain(places, files: FileSystem()).credentials(now)
  }

  private func expectNone(_ places: S3CredentialPlaces, _ finding: String, source: SourceLocation = #_sourceLocation) {
    let error = #expect(throws: S3Error.self, sourceLocation: source) { try find(places) }
    #expect(
      error?.description == """
        there are no credentials for S3: \(finding)
        HINT: Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with `credentials-file` in the configuration.
        """, sourceLocation: source)
    #expect(error?.exitStatus == .usage, sourceLocation: source)
  }

  // MARK: Files and variables

  private static let text = """
    # of the shop
    ; and of nobody else
    aws_access_key_id = outside
    [default]
    aws_access_key_id = id1
    aws_secret_access_key=secret=with/signs+==
    region = eu-central-1

    [ backup ]\r
    \tAWS_ACCESS_KEY_ID\t=\tid2\t\r
    aws_secret_access_key = secret 2\r
    aws_session_token = token2
    [half]
    aws_access_key_id = id3
    [profile configured]
    aws_access_key_id = id4
    aws_secret_access_key = secret4
    [broken
    aws_secret_access_key = x
    """

  @Test func aFileHasProfiles() throws {
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.file = file(Self.text)
    #expect(try find(places) == S3Credentials(accessKeyID: "id1", secretKey: "secret=with/signs+=="))
    places.profile = "backup"
    #expect(try find(places) == S3Credentials(accessKeyID: "id2", secretKey: "secret 2", sessionToken: "token2"))
  }

  @Test func theConfigurationOfAWSMayHaveKeysToo() throws {
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.usualFile = file("[default]\nregion = x\n", "empty")
    places.usualConfiguration = file(Self.text)
    #expect(try find(places).accessKeyID == "id1")
    places.profile = "configured"
    #expect(try find(places).accessKeyID == "id4")
  }

  // MARK: Commands

  private func command(_ output: String) -> S3CredentialPlaces {
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.usualFile = file("[default]\ncredential_process = echo \(output)\n")
    return places
  }

  @Test func aCommandPrintsKeys() throws {
    let lasting = #"'{"Version": 1, "AccessKeyId": "id5", "SecretAccessKey": "secret"}'"#
    #expect(try find(command(lasting)) == S3Credentials(accessKeyID: "id5", secretKey: "secret"))
    let passing =
      #"'{"Version": 1, "AccessKeyId": "id6", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "2026-11-29T13:00:00Z"}'"#
    #expect(
      try find(command(passing))
        == S3Credentials(
          accessKeyID: "id6", secretKey: "s", sessionToken: "t", end: TimeText.parse("2026-11-29T13:00:00Z")))
  }

  @Test func aCommandThatPrintsNoKeysOrFailsIsToldOf() {
    expectNone(command("nothing"), "the credential_process of the profile default prints no keys")
    let error = #expect(throws: ShellCommandError.self) { try find(command("x; exit 3")) }
    #expect(
      error?.description == """
        the credential_process of the profile default failed with exit status 3
        HINT: Run the credential_process of the profile default by itself to see what it says.
        """)
  }

  /// Nobody else's keys are taken in place of those that a profile means.
  @Test(arguments: [
    "role_arn", "sso_session", "sso_start_url", "sso_role_name", "web_identity_token_file", "login_session",
  ])
  func whatIsNotReadOfAProfileIsNamed(_ key: String) {
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.usualConfiguration = file("[profile shop]\nsource_profile = x\n\(key) = y\n", "config")
    places.instance = "http://127.0.0.1:1"
    places.profile = "shop"
    let error = #expect(throws: S3Error.self) { try find(places) }
    #expect(
      error?.description == """
        there are no credentials for S3: the profile shop in \(directory.appending("config")) has \(key), which holdfast does not read
        HINT: Let the AWS CLI fetch them: a profile with `credential_process = aws configure export-credentials --profile shop --format process`.
        """)
    #expect(error?.exitStatus == .usage && error?.scope == .usage)
  }

  // MARK: Files that are named

  /// What the operator has named is meant: nothing else is taken in its place.
  @Test(arguments: ["missing", "profile"]) func aNamedFileIsTheOnlyPlace(_ kind: String) throws {
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.file = file(Self.text)
    places.profile = kind
    places.variables = S3Credentials(accessKeyID: "other", secretKey: "other")
    let error = #expect(throws: S3Error.self) { try find(places) }
    #expect(
      error?.description == """
        there are no credentials for S3: \(directory.appending("credentials")) has no keys of the profile \(kind)
        HINT: Correct `profile`, or the sections of that file. While `credentials-file` names it, variables are not read.
        """)
    #expect(error?.exitStatus == .usage && error?.scope == .usage)
    places.file = directory.appending("nowhere")
    #expect(throws: SystemError.self) { try find(places) }
  }

  @Test func variablesComeBeforeTheUsualFile() throws {
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.usualFile = file(Self.text)
    #expect(try find(places).accessKeyID == "id1")
    places.variables = S3Credentials(accessKeyID: "variable", secretKey: "s", sessionToken: "t")
    #expect(try find(places) == places.variables)
  }

  @Test func theUsualFileMayBeMissingOrHaveNone() throws {
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    for path in [directory.appending("nowhere"), file("", "empty"), file("[other]\naws_access_key_id = 1\n", "other")] {
      places.usualFile = path
      expectNone(places, "neither variables nor a file nor a server of metadata has some")
    }
    places.usualFile = directory.path
    #expect(throws: SystemError.self) { try find(places) }
  }

  @Test func nothingIsSaidToBeNothing() {
    expectNone(
      S3CredentialPlaces(userID: FileSystem.userID), "neither variables nor a file nor a server of metadata has some")
  }

  // MARK: Servers of metadata

  /// As Amazon's servers answer: a container with a token, and a machine with a role. Each answer has a number.
  private static let metadata = """
    count = [0]


    def keys():
        count[0] += 1
        with open(directory + "/end") as file:
            end = file.read()
        return json.dumps({"Code": "Success", "AccessKeyId": f"id{count[0]}", "SecretAccessKey": "secret",
                           "Token": "token", "Expiration": end})


    def answer(peer, request):
        peer.body()
        headers, roles = request.headers, "/latest/meta-data/iam/security-credentials/"
        if request.target == "/container":
            if headers.get("authorization") == "Bearer me":
                return peer.reply(200, {}, keys())
        elif request.method == "PUT" and request.target == "/latest/api/token":
            if headers.get("x-aws-ec2-metadata-token-ttl-seconds") == "21600":
                return peer.reply(200, {}, "session")
        elif headers.get("x-aws-ec2-metadata-token") == "session":
            if request.target == roles:
                return peer.reply(200, {}, "backup-host\\n")
            if request.target == roles + "backup-host":
                return peer.reply(200, {}, keys())
        elif request.target == "/strange":
            return peer.reply(200, {}, '{"Code": "AssumeRoleUnauthorizedAccess"}')
        peer.reply(403, {}, "no")
    """

  private func makeServer(end: String = "2026-11-29T13:00:00Z") -> (server: ScriptedServer, address: String) {
    let server = ScriptedServer(Self.metadata)
    TestFiles.write(end, to: server.file("end"))
    return (server, "http://127.0.0.1:\(server.port)")
  }

  @Test func aContainerIsAsked() throws {
    let (server, address) = makeServer()
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.container = ("\(address)/container", "Bearer me")
    let found = try find(places)
    #expect(
      found
        == S3Credentials(
          accessKeyID: "id1", secretKey: "secret", sessionToken: "token", end: TimeText.parse("2026-11-29T13:00:00Z")))
    #expect(server.requests.map(\.target) == ["/container"])
  }

  @Test func aMachineIsAskedForItsRole() throws {
    let (server, address) = makeServer()
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.usualFile = directory.appending("nowhere")
    places.instance = address
    #expect(try find(places).accessKeyID == "id1")
    #expect(
      server.requests.map { "\($0.method) \($0.target)" } == [
        "PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/",
        "GET /latest/meta-data/iam/security-credentials/backup-host",
      ])
  }

  @Test func aMachineWithoutAServerOfMetadataHasNone() {
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.instance = "http://127.0.0.1:1"
    expectNone(places, "neither variables nor a file nor a server of metadata has some")
  }

  @Test func aStrangeAnswerIsNoCredentials() {
    let (server, address) = makeServer()
    defer { withExtendedLifetime(server) {} }
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.container = ("\(address)/strange", nil)
    expectNone(places, "the server of metadata answers without keys")
    places.container = ("file:///etc/passwd", nil)
    expectNone(places, "the address of the server of metadata is none")
    places.container = ("\(address)/container", "Bearer secret")
    let error = #expect(throws: HTTPError.self) { try find(places) }
    #expect(error?.message == "\(address)/… answered with status 403")
  }

  /// Five minutes before they end, and not sooner.
  @Test func temporaryCredentialsAreAskedForAgainBeforeTheyEnd() throws {
    let (server, address) = makeServer()
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.container = ("\(address)/container", "Bearer me")
    let chain = S3CredentialChain(places, files: FileSystem())
    func id(_ time: String) throws -> String { try chain.credentials(#require(TimeText.parse(time))).accessKeyID }
    #expect(try id("2026-11-29T12:00:00Z") == "id1")
    #expect(try id("2026-11-29T12:54:59Z") == "id1")
    TestFiles.write("2026-11-29T14:00:00Z", to: server.file("end"))
    #expect(try id("2026-11-29T12:55:01Z") == "id2")
    #expect(try id("2026-11-29T13:30:00Z") == "id2")
    #expect(server.requests.count == 2)
  }

  /// A server of metadata that fails shortly before credentials end does no harm as long as they are good, and is not
  /// asked before each request.
  @Test func credentialsStayInUseUntilTheyEnd() throws {
    let (server, address) = makeServer()
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.container = ("\(address)/container", "Bearer me")
    let chain = S3CredentialChain(places, files: FileSystem())
    func id(_ time: String) throws -> String { try chain.credentials(#require(TimeText.parse(time))).accessKeyID }
    #expect(try id("2026-11-29T12:00:00Z") == "id1")
    TestFiles.write("no time", to: server.file("end"))
    #expect(try id("2026-11-29T12:56:00Z") == "id1")
    #expect(try id("2026-11-29T12:56:09Z") == "id1")
    #expect(server.requests.count == 2)
    #expect(try id("2026-11-29T12:59:59Z") == "id1")
    #expect(server.requests.count == 3)
    #expect(throws: S3Error.noCredentials(places: "the server of metadata answers without keys")) {
      try id("2026-11-29T13:00:00Z")
    }
    TestFiles.write("2026-11-29T14:00:00Z", to: server.file("end"))
    #expect(try id("2026-11-29T13:00:01Z") == "id5")
  }

  @Test func lastingCredentialsAreReadOnce() throws {
    var places = S3CredentialPlaces(userID: FileSystem.userID)
    places.file = file(Self.text)
    let chain = S3CredentialChain(places, files: FileSystem())
    #expect(try chain.credentials(now).accessKeyID == "id1")
    TestFiles.remove(directory.appending("credentials"))
    #expect(try chain.credentials(Timestamp(seconds: now.seconds + 1_000_000_000, nanoseconds: 0)).accessKeyID == "id1")
  }
}
