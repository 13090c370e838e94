import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A router forgets a connection on which nothing is said, and tells nobody. Whoever uses it then waits in vain.
@Suite(.timeLimit(.minutes(30))) struct HTTPIdleTests {
  private static let script = """
    def answer(peer, request):
        peer.reply(200, {}, "done")
    """

  private func pool(
    _ server: ScriptedServer, clock: Clock = .system, silence: TimeSpan = HTTPPatience().silence
  ) -> HTTPPool {
    var patience = HTTPPatience()
    patience.silence = silence
    return HTTPPool(
      HTTPServer(host: "127.0.0.1", port: server.port, isEncrypted: false), patience: patience,
      host: TestHost.make(clock: clock))
  }

  private func get(_ target: String) -> HTTPMessage { HTTPMessage("GET", target, headers: []) }

  @Test func aConnectionThatWasIdleForLongIsNotUsedAgain() throws {
    let server = ScriptedServer(Self.script)
    let time = TestClock("2026-11-22T14:00:00Z")
    let pool = pool(server, clock: time.clock)
    for pause in [TimeSpan.zero, .seconds(59), .seconds(60), .seconds(61), .seconds(1)] {
      time.advance(pause)
      #expect(try pool.exchange(get("/")).status == 200)
    }
    #expect(server.requests.map(\.connection) == [1, 1, 1, 2, 2])
  }

  /// Four are idle when one of them turns out to be dead: none of the others is tried.
  @Test func afterOneSilenceNoConnectionIsUsedThatIsIdleForLonger() throws {
    let server = ScriptedServer(
      """
      gate, seen = threading.Barrier(4), [0]


      def answer(peer, request):
          with lock:
              seen[0] += 1
              count = seen[0]
          if count <= 4:
              gate.wait(60)
          elif peer.number <= 4:
              time.sleep(3600)
          peer.reply(200, {}, "done")
      """)
    let pool = pool(server, silence: .milliseconds(300))
    let threads = (1...4).map { _ in WorkerThread.start { _ = try? pool.exchange(self.get("/")) } }
    for thread in threads { thread?.join() }
    #expect(throws: ConnectionError.silent(pool.server)) { try pool.exchange(get("/")) }
    #expect(try pool.exchange(get("/")).status == 200)
    #expect(server.requests.map(\.connection).suffix(2).map { $0 > 4 } == [false, true])
  }

  /// The kernel asks now and then whether the other side is there.
  @Test func aConnectionIsKeptAlive() throws {
    let server = ScriptedServer(Self.script)
    let pool = pool(server)
    #expect(try pool.exchange(get("/")).status == 200)
    let table = String(decoding: TestFiles.read(Path("/proc/self/net/tcp")) ?? [], as: UTF8.self)
    // proc_pid_net(5): after the address of the other side come the state, the queues, and the timer; a timer of kind 2
    // is that of keep-alive.
    let port = ":" + Hex.encode([UInt8(server.port >> 8), UInt8(server.port & 0xff)]).uppercased()
    let timers = table.split(separator: "\n").compactMap { (line: Substring) -> String? in
      let fields = line.split(separator: " ")
      return fields.count > 5 && fields[2].hasSuffix(port) ? String(fields[5].prefix(2)) : nil
    }
    #expect(timers == ["02"], "\(table)")
    withExtendedLifetime(pool) {}
  }
}
