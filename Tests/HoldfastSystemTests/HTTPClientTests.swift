import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Whatever a server does, a request ends in time, with what it answered or with why there is nothing.
@Suite struct HTTPClientTests {
  private let server = TestServer()

  private func address(_ path: String) throws -> HTTPAddress { try #require(HTTPAddress(server.address + path)) }

  private func client(timeout: TimeSpan = .seconds(20)) -> HTTPClient {
    var client = HTTPClient()
    client.timeout = timeout
    return client
  }

  @Test func aRequestArrivesAsItIs() async throws {
    var request = HTTPRequest("POST", try address("/ok/a?b=c"), body: Array("é\0\n".utf8))
    request.headers = [("Content-Type", "text/x-test")]
    let response = try client().send(request)
    #expect(response.status == 200)
    #expect(response.body == Array("done".utf8) && !response.isCut)
    let seen = try #require(server.requests.first)
    #expect(seen.method == "POST" && seen.path == "/ok/a?b=c" && seen.body == "é\0\n")
    #expect(seen.type == "text/x-test" && seen.agent == "holdfast/\(Program.version)")
  }

  @Test func methodsAndEmptyBodiesAreSentAsAsked() throws {
    _ = try client().send(HTTPRequest("GET", try address("/ok")))
    _ = try client().send(HTTPRequest("PUT", try address("/ok"), body: Array("x".utf8)))
    _ = try client().send(HTTPRequest("POST", try address("/ok"), body: []))
    #expect(server.requests.map(\.method) == ["GET", "PUT", "POST"])
    #expect(server.requests.map(\.body) == ["", "x", ""])
  }

  @Test func aServerThatFailsIsAskedAgain() throws {
    #expect(try client().send(HTTPRequest("GET", try address("/flaky"))).status == 200)
    #expect(server.requests.count == 3)
  }

  @Test func whatTheServerRefusesIsNotAskedAgain() throws {
    let place = try address("/unknown/secret")
    #expect(throws: HTTPError.refused(place, status: 404)) { try client().send(HTTPRequest("GET", place)) }
    #expect(server.requests.count == 1)
    #expect(HTTPError.refused(place, status: 404).message == "\(server.address)/… answered with status 404")
  }

  @Test func aServerThatGoesOnFailingIsGivenUp() throws {
    let place = try address("/broken")
    #expect(throws: HTTPError.refused(place, status: 500)) { try client().send(HTTPRequest("GET", place)) }
    #expect(server.requests.count == 3)
  }

  @Test func anEndlessAnswerIsCutOff() throws {
    let response = try client().send(HTTPRequest("GET", try address("/endless")))
    #expect(response.status == 200 && response.isCut)
    #expect(response.body.count == client().responseBytesMax)
  }

  @Test func aServerThatNeverAnswersIsNotWaitedFor() throws {
    let place = try address("/silent/secret")
    #expect(throws: HTTPError.failed(place, reason: "Timeout was reached", isPassing: true, wasConnected: true)) {
      try client(timeout: .milliseconds(500)).send(HTTPRequest("GET", place))
    }
  }

  @Test func noTimeIsNoRequest() throws {
    let place = try address("/ok/secret")
    #expect(throws: HTTPError.noAnswer(place)) { try client(timeout: .zero).send(HTTPRequest("GET", place)) }
    #expect(HTTPError.noAnswer(place).message == "\(server.address)/… did not answer in time")
    #expect(server.requests.isEmpty)
  }

  @Test(arguments: ["/file", "/round", "/garbage", "/gone"])
  func anAnswerThatIsNoneIsAnError(path: String) throws {
    let place = try address(path)
    let error = #expect(throws: HTTPError.self) { try client().send(HTTPRequest("GET", place)) }
    #expect(error?.message.hasPrefix("\(server.address)/… cannot be reached: ") == true, "\(error?.message ?? "")")
  }

  @Test func aRedirectionIsFollowedWithEverythingThatWasSent() throws {
    let response = try client().send(HTTPRequest("POST", try address("/moved"), body: Array("x".utf8)))
    #expect(response.status == 200)
    #expect(server.requests.map(\.path) == ["/moved", "/ok/moved"])
    #expect(server.requests.map(\.body) == ["x", "x"])
  }

  /// A server cannot lead what was sent to another one, which perhaps only this machine can reach.
  @Test(arguments: [
    "http://HOST:PORT/ok", "http://localhost:SAME/ok", "file:///etc/passwd", "http://u@127.0.0.1:SAME/ok",
  ])
  func aRedirectionToAnotherServerIsNotFollowed(place: String) throws {
    let other = TestServer()
    let ports = (
      try #require(server.address.split(separator: ":").last), try #require(other.address.split(separator: ":").last)
    )
    let location = place.replacing("HOST:PORT", with: "127.0.0.1:\(ports.1)").replacing("SAME", with: ports.0)
    let error = #expect(throws: HTTPError.self) {
      try client().send(HTTPRequest("POST", try address("/away/" + location), body: Array("secret".utf8)))
    }
    #expect(
      error?.message
        == "\(server.address)/… cannot be reached: it leads to another server, which is not asked")
    #expect(other.requests.isEmpty)
    #expect(server.requests.count == 1)
  }

  @Test func aRoundOfRedirectionsEnds() throws {
    let error = #expect(throws: HTTPError.self) { try client().send(HTTPRequest("GET", try address("/round"))) }
    #expect(error?.message == "\(server.address)/… cannot be reached: it leads from one address to the next")
    #expect(server.requests.count == 4)
  }

  @Test func aCertificateThatNobodyHasSignedIsRefused() throws {
    let secure = TestServer(isSecure: true)
    let place = try #require(HTTPAddress(secure.address + "/ok"))
    let error = #expect(throws: HTTPError.self) { try client().send(HTTPRequest("GET", place)) }
    #expect(
      error?.message == "\(secure.address)/… cannot be reached: SSL peer certificate or SSH remote key was not OK")
    #expect(secure.requests.isEmpty)
  }

  @Test func nobodyListensIsSaid() throws {
    let place = try #require(HTTPAddress("http://127.0.0.1:1/"))
    let error = #expect(throws: HTTPError.self) { try client().send(HTTPRequest("GET", place)) }
    #expect(error?.message == "http://127.0.0.1:1/… cannot be reached: Couldn't connect to server")
  }

  @Test func theLibraryIsNamed() {
    #expect(HTTPClient.libraryVersion?.wholeMatch(of: /\d+\.\d+\.\d+/) != nil)
    #expect(
      HTTPError.notInstalled.description
        == "there is no libcurl to send anything by HTTP\nHINT: Install Debian's libcurl4.")
  }

  // MARK: Addresses

  @Test(arguments: [
    ("https://hc.example/uuid", "https://hc.example/uuid/start"),
    ("https://hc.example/uuid/", "https://hc.example/uuid/start"),
    ("http://hc.example/uuid?rid=1", "http://hc.example/uuid/start?rid=1"),
    ("http://hc.example", "http://hc.example/start"),
  ])
  func somethingIsAppendedToThePath(text: String, longer: String) throws {
    #expect(try #require(HTTPAddress(text)).appending("/start").text == longer)
  }

  @Test(arguments: [
    "", "hc.example", "file:///etc/passwd", "ftp://x/", "https://", "https:///x", "http://a b/", "http://x/\n",
    "http://u@/",
  ])
  func whatIsNoAddressIsRefused(text: String) { #expect(HTTPAddress(text) == nil) }

  @Test func anAddressIsNeverShownWhole() throws {
    #expect("\(try #require(HTTPAddress("https://me:pass@hc.example:8/uuid?key=1")))" == "https://hc.example:8/…")
  }

  @Test func aCommandThatTakesTooLongIsEnded() async throws {
    try await onOwnThread {
      let error = #expect(throws: ShellCommandError.self) {
        try ShellCommand("sleep 1000").run(Cancellation(), input: [], timeout: .milliseconds(300))
      }
      #expect(error?.message == "the command took longer than 0 s, and was ended")
      // Nor does what it has started go on, which could hold open what somebody waits for.
      let tool = Tool()
      let lock = tool.directory.appending("lock").text
      #expect(throws: ShellCommandError.self) {
        try ShellCommand("exec 9>'\(lock)'; flock 9; sleep 1000 & wait").run(
          Cancellation(), input: [], timeout: .seconds(2))
      }
      #expect(tool.other("flock", "-w", "60", lock, "true").exitStatus == 0)
    }
  }

  @Test func aCommandGetsItsInputAndNeedNotReadIt() async throws {
    try await onOwnThread {
      let input = [UInt8](repeating: UInt8(ascii: "x"), count: 60_000)
      try ShellCommand("test $(wc -c) = 60000").run(Cancellation(), input: input, timeout: .hours(1))
      try ShellCommand("true").run(Cancellation(), input: input, timeout: .hours(1))
      #expect(throws: ShellCommandError.self) {
        try ShellCommand("exit 3").run(Cancellation(), input: input, timeout: .hours(1))
      }
    }
  }
}
