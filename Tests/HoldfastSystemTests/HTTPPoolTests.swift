import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Connections are kept while they are good, and whatever a server does, an exchange ends in time.
@Suite(.timeLimit(.minutes(30))) struct HTTPPoolTests {
  private let cancellation = Cancellation()

  private func pool(
    _ server: ScriptedServer, isEncrypted: Bool = false, certificates: Path? = nil, traffic: Traffic = Traffic(),
    _ change: (inout HTTPPatience) -> Void = { _ in }
  ) -> HTTPPool {
    var patience = HTTPPatience()
    change(&patience)
    return HTTPPool(
      HTTPServer(host: "127.0.0.1", port: server.port, isEncrypted: isEncrypted), certificates: certificates,
      patience: patience, traffic: traffic,
      host: Host(cancellation: cancellation, workers: 1, scratchDirectories: []))
  }

  private func get(_ target: String) -> HTTPMessage { HTTPMessage("GET", target, headers: []) }

  /// Sends a body of so many bytes.
  private func put(_ count: Int, _ pool: HTTPPool) throws -> HTTPAnswer {
    try [UInt8](repeating: 7, count: count).withUnsafeBytes { body in
      try pool.exchange(HTTPMessage("PUT", "/", headers: []), body: body)
    }
  }

  private static let kind = """
    def answer(peer, request):
        peer.reply(200, {"X-Length": len(peer.body())}, "done")
    """

  // MARK: Keeping connections

  @Test func aConnectionIsKeptForTheNextRequest() throws {
    let server = ScriptedServer(Self.kind)
    let traffic = Traffic()
    let pool = pool(server, traffic: traffic)
    for _ in 1...5 { #expect(try pool.exchange(get("/a?b=")).body == Array("done".utf8)) }
    #expect(try put(100, pool).headers["x-length"] == "100")
    #expect(server.requests.map(\.connection) == [1, 1, 1, 1, 1, 1])
    #expect(server.requests[0].method == "GET" && server.requests[0].target == "/a?b=")
    #expect(server.requests[0].headers["host"] == "127.0.0.1:\(server.port)")
    #expect(server.requests[0].headers["user-agent"] == "holdfast/\(Program.version)")
    let counts = traffic.counts
    #expect([counts.requests, counts.bytesSent, counts.bytesReceived] == [6, 100, 24])
  }

  @Test func requestsAtOnceHaveConnectionsOfTheirOwnAndKeepThem() throws {
    // The first four are answered when all of them have arrived.
    let server = ScriptedServer(
      """
      gate, seen = threading.Barrier(4), [0]


      def answer(peer, request):
          with lock:
              seen[0] += 1
              waits = seen[0] <= 4
          if waits:
              gate.wait(60)
          peer.reply(200, {}, "done")
      """)
    let pool = pool(server)
    let threads = (1...4).map { _ in WorkerThread.start { _ = try? pool.exchange(self.get("/")) } }
    for thread in threads { thread?.join() }
    for _ in 1...8 { #expect(try pool.exchange(get("/")).status == 200) }
    #expect(server.requests.count == 12)
    #expect(Set(server.requests.map(\.connection)) == [1, 2, 3, 4])
  }

  /// A request over a new connection waits for it as long as for two more answers.
  @Test func preparedConnectionsAreMadeBeforeTheyAreNeeded() throws {
    // The server counts connections; the first request is answered when there are four.
    let server = ScriptedServer(
      """
      def answer(peer, request):
          for _ in range(6000):
              if number >= 4:
                  break
              time.sleep(0.01)
          peer.reply(200, {}, str(number))
      """)
    let pool = pool(server)
    pool.prepare(4)
    pool.prepare(4)
    #expect(try pool.exchange(get("/")).body == Array("4".utf8))
    let threads = (1...4).map { _ in WorkerThread.start { _ = try? pool.exchange(self.get("/")) } }
    for thread in threads { thread?.join() }
    #expect(try pool.exchange(get("/")).body == Array("4".utf8), "more connections than were prepared")
  }

  @Test func connectionsThatCannotBePreparedAreTheErrorOfNobody() throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          peer.reply(200, {}, "done")
          return False
      """)
    let pool = pool(server)
    pool.prepare(2)
    // The server closes each connection after its first answer.
    for _ in 1...4 { #expect(try pool.exchange(get("/")).status == 200) }
    let nowhere = HTTPPool(
      HTTPServer(host: "127.0.0.1", port: 1, isEncrypted: false),
      host: Host(cancellation: cancellation, workers: 1, scratchDirectories: []))
    nowhere.prepare(2)
    #expect(throws: ConnectionError.self) { try nowhere.exchange(get("/")) }
  }

  /// Servers close connections that nobody has used for a while. Nobody is told of that.
  @Test func aConnectionThatTheServerHasClosedMeanwhileIsMadeAnew() throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          peer.reply(200, {}, "done")
          return False
      """)
    let pool = pool(server)
    let answers = try (1...3).map { _ in try pool.exchange(get("/")) }
    #expect(answers.map(\.status) == [200, 200, 200])
    #expect(server.requests.map(\.connection) == [1, 2, 3])
    #expect(answers.map(\.isRepeated) == [false, true, true], "a request that may have arrived twice is not told")
  }

  @Test func aConnectionThatTheServerWillCloseIsNotKept() throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          peer.reply(200, {"Connection": "close"}, "done")
          return False
      """)
    let pool = pool(server)
    for _ in 1...3 { #expect(try pool.exchange(get("/")).isRepeated == false) }
    #expect(server.requests.map(\.connection) == [1, 2, 3])
  }

  /// Half an answer is not asked for again here: the layer that tries again bounds that.
  @Test func aConnectionThatBreaksInTheMiddleOfAnAnswerIsAnError() throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          if request.target == "/kept":
              return peer.reply(200)
          peer.send("HTTP/1.1 200 OK\\r\\nContent-Length: 10\\r\\n\\r\\nhalf")
          return False
      """)
    let pool = pool(server)
    #expect(try pool.exchange(get("/kept")).status == 200)
    #expect(throws: ConnectionError.broken("the server closed the connection in the middle of its answer")) {
      try pool.exchange(get("/half"))
    }
    #expect(server.requests.count == 2)
    #expect(try pool.exchange(get("/kept")).status == 200, "a broken connection was kept")
  }

  @Test func redirectionsAreAnswersAndNotFollowed() throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          peer.reply(int(request.target[1:]), {"Location": f"http://{request.headers['host']}/200"}, "elsewhere")
      """)
    let pool = pool(server)
    for status in [301, 302, 307, 308] { #expect(try pool.exchange(get("/\(status)")).status == status) }
    #expect(server.requests.map(\.target) == ["/301", "/302", "/307", "/308"])
  }

  // MARK: Time

  @Test func aServerThatIsSilentIsNotWaitedFor() throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          time.sleep(3600)
      """)
    let pool = pool(server) { $0.silence = .milliseconds(300) }
    let start = Clock.system.uptime()
    let error = #expect(throws: ConnectionError.self) { try pool.exchange(get("/")) }
    #expect(error == .silent(pool.server))
    #expect(
      error?.description == """
        http://127.0.0.1:\(server.port) did not answer in time
        HINT: Run the same command again when the server can be reached.
        """)
    let waited = Clock.system.uptime() - start
    #expect(waited >= .milliseconds(300) && waited < .seconds(10))
  }

  /// What never ends, though there is always a byte, ends at the deadline of the exchange.
  @Test(arguments: [
    "peer.send('HTTP/1.1 200 OK\\r\\nX: '); more = 'x'", "peer.send('HTTP/1.1 200 OK\\r\\n\\r\\n'); more = 'x'",
    "more = 'HTTP/1.1 100 Continue\\r\\n\\r\\n'",
  ])
  func aServerThatDripsIsNotWaitedFor(_ beginning: String) throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          \(beginning)
          while True:
              peer.send(more)
              time.sleep(0.02)
      """)
    let pool = pool(server) { ($0.silence, $0.bytesPerSecondMin) = (.milliseconds(200), 1e9) }
    let start = Clock.system.uptime()
    #expect(throws: ConnectionError.silent(pool.server)) { try pool.exchange(get("/")) }
    let waited = Clock.system.uptime() - start
    #expect(waited >= .milliseconds(400) && waited < .seconds(10))
  }

  @Test func aServerThatTakesNothingIsNotWaitedFor() throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          time.sleep(3600)
      """)
    let pool = pool(server) { $0.silence = .milliseconds(300) }
    #expect(throws: ConnectionError.silent(pool.server)) { try put(64 << 20, pool) }
  }

  @Test func aSignalEndsTheWait() throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          time.sleep(3600)
      """)
    let pool = pool(server)
    let raised = WorkerThread.start {
      for _ in 0..<600 where server.requests.isEmpty { Pause.briefly() }
      cancellation.raise()
    }
    let start = Clock.system.uptime()
    #expect(throws: Interrupted.self) { try pool.exchange(get("/")) }
    raised?.join()
    #expect(Clock.system.uptime() - start < .seconds(10), "it was waited for the silence")
  }

  /// As long as a server sends what is no end, the signal is seen too.
  @Test func aSignalEndsAnAnswerThatGoesOn() throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          peer.send("HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
          while True:
              peer.send(b"1;" + bytes(60000) + b"\\r\\nx\\r\\n")
      """)
    let pool = pool(server)
    let raised = WorkerThread.start {
      for _ in 0..<600 where server.requests.isEmpty { Pause.briefly() }
      cancellation.raise()
    }
    #expect(throws: Interrupted.self) { try pool.exchange(get("/")) }
    raised?.join()
  }

  // MARK: Bodies

  /// A server that refuses a request may say so before it has read its body, and read no more.
  @Test(arguments: [false, true], [false, true])
  func aRefusalIsReadThoughTheBodyWasNotTaken(isEncrypted: Bool, closes: Bool) throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          peer.reply(403, {}, "no")
          time.sleep(\(closes ? 0 : 3600))
          return False
      """, certificate: isEncrypted ? .loopback : nil)
    let pool = pool(server, isEncrypted: isEncrypted, certificates: isEncrypted ? server.certificates : nil) {
      $0.silence = .seconds(5)
    }
    let answer = try put(64 << 20, pool)
    #expect(answer.status == 403 && answer.body == Array("no".utf8))
    #expect(server.requests.count == 1)
    #expect(throws: Never.self) { try pool.exchange(get("/")) }
    #expect(server.requests.map(\.connection) == [1, 2], "a connection with half a request in it was kept")
  }

  /// More than any socket buffers, both ways and by TLS, whose tickets arrive while the body is being sent.
  @Test(arguments: [false, true]) func largeBodiesArriveWhole(isEncrypted: Bool) throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          # Its client has to wait until there is room.
          time.sleep(0.3)
          body = peer.body()
          if request.method == "PUT":
              return peer.reply(200, {"X-Digest": hashlib.sha256(body).hexdigest()})
          peer.reply(200, {}, bytes(index % 251 for index in range(1 << 20)) * 16)
      """, certificate: isEncrypted ? .loopback : nil)
    let pool = pool(server, isEncrypted: isEncrypted, certificates: isEncrypted ? server.certificates : nil) {
      $0.silence = .seconds(10)
    }
    var random = SeededRandom(seed: 7)
    let bytes = random.bytes(32 << 20)
    let answer = try bytes.withUnsafeBytes { try pool.exchange(HTTPMessage("PUT", "/", headers: []), body: $0) }
    #expect(answer.headers["x-digest"] == Self.digest(bytes))
    var received = [UInt8](repeating: 0, count: 16 << 20)
    let filled = try received.withUnsafeMutableBytes { try pool.exchange(get("/"), into: $0).filled }
    #expect(filled == received.count)
    #expect(received[..<(1 << 20)].enumerated().allSatisfy { $1 == UInt8($0 % 251) })
    #expect(received[(15 << 20)...].elementsEqual(received[..<(1 << 20)]))
    #expect(server.requests.map(\.connection) == [1, 1])
  }

  private static func digest(_ bytes: [UInt8]) -> String {
    let directory = TemporaryDirectory()
    TestFiles.write(bytes, to: directory.appending("bytes"))
    let result = RunningProcess(RunningProcess.Start(["sha256sum", directory.appending("bytes").text])).wait()
    return String(result.output.prefix(64))
  }

  // MARK: TLS

  @Test func aCertificateThatNobodyHasSignedIsRefused() throws {
    let server = ScriptedServer(Self.kind, certificate: .loopback)
    let error = #expect(throws: ConnectionError.self) { try pool(server, isEncrypted: true).exchange(get("/")) }
    #expect(
      error?.description == """
        https://127.0.0.1:\(server.port) cannot be reached: SSL peer certificate or SSH remote key was not OK
        HINT: See whether the address is right, and who signed its certificate.
        """)
    #expect(error?.scope == .machine)
    #expect(server.requests.isEmpty)
  }

  @Test func aCertificateThatTheOperatorTrustsIsAccepted() throws {
    let server = ScriptedServer(Self.kind, certificate: .loopback)
    let pool = pool(server, isEncrypted: true, certificates: server.certificates)
    for _ in 1...3 { #expect(try pool.exchange(get("/")).status == 200) }
    #expect(server.requests.map(\.connection) == [1, 1, 1])
  }

  @Test func aTrustedCertificateOfAnotherHostIsRefused() throws {
    let server = ScriptedServer(Self.kind, certificate: .elsewhere)
    let pool = pool(server, isEncrypted: true, certificates: server.certificates)
    let error = #expect(throws: ConnectionError.self) { try pool.exchange(get("/")) }
    #expect(error?.scope == .machine)
    #expect(error?.message.hasPrefix("https://127.0.0.1:\(server.port) cannot be reached: SSL ") == true)
    #expect(server.requests.isEmpty)
  }

  @Test func aFileOfCertificatesThatIsMissingIsToldOf() throws {
    let server = ScriptedServer(Self.kind, certificate: .loopback)
    let pool = pool(server, isEncrypted: true, certificates: server.file("missing"))
    let error = #expect(throws: ConnectionError.self) { try pool.exchange(get("/")) }
    #expect(error?.message.contains("Problem with the SSL CA cert") == true, "\(error?.message ?? "")")
    #expect(error?.scope == .machine)
  }

  /// A server that was there is being restarted: nobody listens, or TLS ends in the middle of its handshake.
  @Test(arguments: ["gone", "reset"]) func aServerThatWasThereMayComeBack(now: String) throws {
    let server = ScriptedServer(
      """
      def answer(peer, request):
          peer.reply(200, {"Connection": "close"}, "done")
          if request.target == "/gone":
              listener.shutdown(socket.SHUT_RDWR)
          if request.target == "/reset":
              global context
              context.wrap_socket = lambda connection, server_side: connection.setsockopt(
                  socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0") or connection.close()
          return False
      """, certificate: .loopback)
    let pool = pool(server, isEncrypted: true, certificates: server.certificates)
    #expect(try pool.exchange(get("/\(now)")).status == 200)
    // It goes away just after its answer.
    while (try? pool.exchange(get("/"))) != nil {}
    for _ in 1...2 {
      let error = #expect(throws: ConnectionError.self) { try pool.exchange(get("/")) }
      #expect(error?.scope == .transient, "\(error?.message ?? "")")
    }
  }

  @Test func aHandshakeThatIsNoneIsNotTriedAgainAtFirst() throws {
    let server = ScriptedServer(
      "ssl.SSLContext.wrap_socket = lambda context, connection, server_side: connection.close()\n" + Self.kind,
      certificate: .loopback)
    let pool = pool(server, isEncrypted: true, certificates: server.certificates)
    let error = #expect(throws: ConnectionError.self) { try pool.exchange(get("/")) }
    #expect(error?.scope == .machine, "\(error?.message ?? "")")
  }

  @Test func nobodyListensIsSaid() throws {
    let nowhere = HTTPPool(
      HTTPServer(host: "127.0.0.1", port: 1, isEncrypted: false), host: Host(workers: 1, scratchDirectories: []))
    let error = #expect(throws: ConnectionError.self) { try nowhere.exchange(get("/")) }
    #expect(error?.message == "http://127.0.0.1:1 cannot be reached: Couldn't connect to server")
    #expect(error?.scope == .machine, "a mistyped address is tried again")
  }
}
