import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A proxy leads to servers by TLS and sees nothing of the requests; when it does not, the message names it.
@Suite(.timeLimit(.minutes(30))) struct HTTPProxyTests {
  /// Connects whom a name and a password permit.
  private static let script = """
    def pump(source, target):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.close()


    def answer(peer, request):
        with open(directory + "/status") as file:
            status = int(file.read())
        if request.headers.get("proxy-authorization") != "Basic bWU6aHVudGVyMg==":
            status = 407
        if request.method != "CONNECT" or status != 200:
            peer.reply(status)
            return False
        host, port = request.target.split(":")
        other = socket.create_connection((host, int(port)))
        peer.send("HTTP/1.1 200 Connected\\r\\n\\r\\n")
        threading.Thread(target=pump, args=(other, peer.connection), daemon=True).start()
        pump(peer.connection, other)
        return False
    """
  private let proxy = ScriptedServer(Self.script)
  private let server = ScriptedServer(
    "def answer(peer, request):\n    peer.reply(200, {}, \"done\")", certificate: .loopback)

  init() { answer(200) }

  private func answer(_ status: Int) { TestFiles.write("\(status)", to: proxy.file("status")) }

  private func pool(_ proxy: String, exceptions: String = "", isEncrypted: Bool = true) -> HTTPPool {
    HTTPPool(
      HTTPServer(host: "127.0.0.1", port: server.port, isEncrypted: isEncrypted), certificates: server.certificates,
      proxy: HTTPProxy(proxy, exceptions: exceptions), host: TestHost.make())
  }

  private func message(_ pool: HTTPPool) -> String {
    let error = #expect(throws: ConnectionError.self) {
      try pool.exchange(HTTPMessage("GET", "/secret-path", headers: []))
    }
    return error.map { "\($0.description) [\($0.scope)]" } ?? ""
  }

  @Test func requestsGoThroughTheProxyWhichSeesNothingOfThem() throws {
    let pool = pool("http://me:hunter2@127.0.0.1:\(proxy.port)")
    for _ in 1...2 {
      #expect(try pool.exchange(HTTPMessage("GET", "/secret-path", headers: [])).body == Array("done".utf8))
    }
    #expect(proxy.requests.map { "\($0.method) \($0.target)" } == ["CONNECT 127.0.0.1:\(server.port)"])
    #expect(server.requests.map(\.target) == ["/secret-path", "/secret-path"])
  }

  @Test func aPasswordOfAnyKindIsNotShown() {
    for address in ["http://me:pa#ss@proxy:3128", "http://me:pa/ss@proxy:3128/", "http://me:p@ss?w@proxy:3128"] {
      let proxy = HTTPProxy(address)
      #expect(proxy.hasLogin && proxy.description == "http://proxy:3128", "\(proxy)")
    }
    #expect(!HTTPProxy("http://proxy:3128").hasLogin)
  }

  @Test func serversThatAreExceptedAreReachedWithoutIt() throws {
    let pool = pool("http://127.0.0.1:1", exceptions: "example.org,127.0.0.1")
    #expect(try pool.exchange(HTTPMessage("GET", "/", headers: [])).status == 200)
    #expect(proxy.requests.isEmpty)
  }

  /// Without TLS only this machine is reached.
  @Test func withoutTLSThereIsNoProxy() throws {
    let server = ScriptedServer("def answer(peer, request):\n    peer.reply(200)")
    let pool = HTTPPool(
      HTTPServer(host: "127.0.0.1", port: server.port, isEncrypted: false), proxy: HTTPProxy("http://127.0.0.1:1"),
      host: TestHost.make())
    #expect(try pool.exchange(HTTPMessage("GET", "/", headers: [])).status == 200)
  }

  @Test(arguments: [
    (403, ConnectionErrorHint.permit, "machine"), (502, ConnectionErrorHint.again, "transient"),
  ])
  func aProxyThatRefusesIsNamed(_ status: Int, _ hint: String, _ scope: String) {
    answer(status)
    #expect(
      message(pool("http://me:hunter2@127.0.0.1:\(proxy.port)/")) == """
        https://127.0.0.1:\(server.port) cannot be reached: the proxy http://127.0.0.1:\(proxy.port) refuses to connect to it (status \(status))
        HINT: \(hint) [\(scope)]
        """)
  }

  @Test func aProxyThatWantsAPasswordIsNamed() {
    #expect(
      message(pool("me:wrong@127.0.0.1:\(proxy.port)")) == """
        https://127.0.0.1:\(server.port) cannot be reached: the proxy 127.0.0.1:\(proxy.port) refuses to connect to it (status 407)
        HINT: \(ConnectionErrorHint.permit) [machine]
        """)
  }

  @Test func aProxyThatIsNotThereIsNamed() {
    #expect(
      message(pool("http://me:hunter2@127.0.0.1:1")) == """
        https://127.0.0.1:\(server.port) cannot be reached: Couldn't connect to server (https_proxy is http://127.0.0.1:1)
        HINT: See whether the address is right, and who signed its certificate. [machine]
        """)
  }
}

private enum ConnectionErrorHint {
  static let permit =
    "Let the proxy permit it, or name the server in no_proxy; https_proxy has the name and password of a proxy that asks for them."
  static let again =
    "Run the same command again when the proxy lets it through; servers that no_proxy names are reached without it."
}
