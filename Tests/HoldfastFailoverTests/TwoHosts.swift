import Glibc
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Two hosts with a shop, of which one stands by, and a repository that both reach. Everything is real: the shop is a
/// process that takes orders, and the commands of the site start, ask and kill it.
final class TwoHosts {
  static let patience = Duration.seconds(120)
  /// A point at which `holdfast` is killed by a command of the site.
  enum Blow: String, CaseIterable { case none, probe, fence, promoteBefore, promoteAfter }
  /// What becomes of the primary: it is dead; or it hangs, and wakes up when the other host serves.
  enum Primary: CaseIterable { case dead, hanging }

  let tool = Tool()
  private(set) var acknowledged = 0
  private var watch: RunningProcess?

  /// - Parameter isRemote: true for a repository behind SFTP, where no lock tells that a holder is gone.
  init(isRemote: Bool = false) {
    for directory in ["place", "a", "b", "a/orders", "a/etc", "b/etc"] { TestFiles.makeDirectory(path(directory)) }
    let place = path("place").text
    let repository =
      isRemote
      ? "{url: 'sftp:backup@server.example\(tool.repository.text)', ssh-command: '\(SFTPServerProgram.plain)'}"
      : "{path: \(tool.repository.text)}"
    for host in ["a", "b"] {
      let other = host == "a" ? "b" : "a"
      TestFiles.write(
        """
        repositories: {shop: \(repository)}
        sources:
          orders:
            path: \(path("\(host)/orders").text)
            watch: {min-interval: 0, heartbeat: 1s, lease: 6s}
            failover:
              host: \(host)
              in: \(path("\(host)/standby").text)
              probe: sh \(place)/probe.sh \(other)
              fence: sh \(place)/fence.sh \(other)
              promote: sh \(place)/promote.sh \(host) \(path("\(host)/orders").text)
              demote: sh \(place)/fence.sh \(host)
              timeouts: {probe: 10s, fence: 60s, promote: 2min, demote: 60s}
            drill: {assertions: [{sql: SELECT count(*) FROM orders, at-least: 1}]}
        """, to: path("\(host)/etc/holdfast.yaml"))
      TestFiles.setMode(path("\(host)/etc/holdfast.yaml"), 0o600)
    }
    let shop = Tool.root.appending("Tests/Fixtures/failover/shop.py").text
    // What kills `holdfast` is asked for by a file, which goes with the blow.
    let blow = """
      blow() {
        [ -e \(place)/blow-$1 ] || return 0
        rm \(place)/blow-$1
        # The process that watches the command has the name of holdfast, too. The one above it is meant.
        above=$PPID
        until [ "$(cat /proc/$above/comm)" = holdfast ]; do above=$(ps -o ppid= -p $above | tr -d ' '); done
        kill -9 $(ps -o ppid= -p $above)
        sleep 1
      }

      """
    script("probe", blow + "blow probe\npython3 \(shop) ask $1 \(place)\n")
    script(
      "fence",
      blow + """
        if [ -e \(place)/no-fence ]; then echo 'the power switch does not answer'; exit 4; fi
        if [ -e \(place)/slow-fence ]; then sleep 100; fi
        for file in \(place)/$1.pid \(place)/$1.watch; do
          [ -e $file ] || continue
          kill -9 $(cat $file) 2>/dev/null
          while kill -0 $(cat $file) 2>/dev/null && ! grep -q '^State:.Z' /proc/$(cat $file)/status; do sleep 0.05; done
          rm -f $file
        done
        if [ -e \(place)/gate-after-fence ]; then sh \(place)/gate.sh; fi
        blow fence

        """)
    // The unit of the shop of a asks this before it starts.
    let asked = start(on: "a", ["serving", "orders", "--quiet", "--patience", "4s"])
    script(
      "gate",
      // A fence of the other host has its name in the environment.
      "unset HOLDFAST_HOST\n" + asked.environment.map { "export \($0)='\($1)'" }.joined(separator: "\n")
        + "\n" + asked.arguments.map { "'\(String(decoding: $0, as: UTF8.self))'" }.joined(separator: " ")
        + " >\(place)/gate.out 2>&1\necho $? >>\(place)/gate.ends\n")
    script(
      "promote",
      blow + """
        blow promoteBefore
        if [ -e \(place)/no-promote ]; then echo 'the shop does not start'; exit 5; fi
        if [ -e \(place)/no-link ]; then exit 0; fi
        if python3 \(shop) ask $1 \(place) 2>/dev/null; then exit 0; fi
        ln -sfnT "$HOLDFAST_DATA" $2 || exit 7
        setsid python3 \(shop) serve $1 $2 \(place) >\(place)/$1.out 2>&1 </dev/null &
        for round in $(seq 400); do
          sleep 0.2
          if python3 \(shop) ask $1 \(place) 2>/dev/null; then blow promoteAfter; exit 0; fi
        done
        cat \(place)/$1.out
        exit 6

        """)
  }

  deinit {
    for host in ["a", "b"] { signal(host, SIGKILL) }
    watch?.send(SIGKILL)
  }

  func path(_ name: String) -> Path { tool.directory.appending(name) }

  private func script(_ name: String, _ text: String) { TestFiles.write(text, to: path("place/\(name).sh")) }

  func set(_ flag: String, _ isSet: Bool = true) {
    if isSet { TestFiles.write("", to: path("place/\(flag)")) } else { TestFiles.remove(path("place/\(flag)")) }
  }

  // MARK: The tool on a host

  func start(on host: String, _ arguments: [String]) -> RunningProcess.Start {
    var start = tool.start(arguments)
    start.environment["HOLDFAST_REPOSITORY"] = nil
    start.environment["HOLDFAST_CONFIG_DIR"] = path("\(host)/etc").text
    start.environment["HOLDFAST_STATE_DIR"] = path("\(host)/state").text
    start.environment["HOLDFAST_CACHE_DIR"] = path("\(host)/cache").text
    return start
  }

  @discardableResult func run(on host: String, _ arguments: String...) -> ProcessResult {
    RunningProcess(start(on: host, arguments)).wait()
  }

  func failover(_ more: String...) -> ProcessResult {
    RunningProcess(start(on: "b", ["failover", "orders", "--yes"] + more)).wait()
  }

  // MARK: The shop

  /// Starts the shop of a, takes snapshots while it serves, and lets b stand by.
  func open(snapshots: Int = 2) {
    #expect(run(on: "a", "init", "--unsealed").exitStatus == 0)
    serve("a")
    for _ in 0..<snapshots { backup() }
    #expect(run(on: "b", "standby", "orders", "--in", path("b/standby").text, "--once", "--quiet").exitStatus == 0)
  }

  /// Starts the shop of a host by hand.
  func serve(_ host: String) {
    let shop = Tool.root.appending("Tests/Fixtures/failover/shop.py").text
    let (place, source) = (path("place").text, path("\(host)/orders").text)
    tool.other(
      "sh", "-c",
      "setsid python3 \(shop) serve \(host) \(source) \(place) >\(place)/\(host).out 2>&1 </dev/null & "
        + "for round in $(seq 100); do sleep 0.1; python3 \(shop) ask \(host) \(place) 2>/dev/null && exit 0; done; exit 1"
    )
  }

  /// The exit statuses of the gate of a, each time that it was asked.
  var gateEnds: [String] {
    String(decoding: TestFiles.read(path("place/gate.ends")) ?? [], as: UTF8.self).split(separator: "\n").map(
      String.init)
  }

  /// Changes a line of the configuration of a host.
  func configure(_ host: String, _ text: String, as other: String) {
    let file = path("\(host)/etc/holdfast.yaml")
    let known = String(decoding: TestFiles.read(file) ?? [], as: UTF8.self)
    #expect(known.contains(text))
    TestFiles.write(known.replacing(text, with: other), to: file)
    TestFiles.setMode(file, 0o600)
  }

  func answers(_ host: String) -> Bool {
    let shop = Tool.root.appending("Tests/Fixtures/failover/shop.py").text
    return tool.other("python3", shop, "ask", host, path("place").text).exitStatus == 0
  }

  /// The process of the shop of a host, as the shop has noted it.
  func process(_ host: String) -> pid_t? {
    let text = String(decoding: TestFiles.read(path("place/\(host).pid")) ?? [], as: UTF8.self)
    return pid_t(text).flatMap { $0 > 1 ? $0 : nil }
  }

  func signal(_ host: String, _ number: Int32) {
    if let process = process(host) { kill(process, number) }
  }

  /// Takes a snapshot on the host that serves. What was ordered before it counts as acknowledged.
  func backup(on host: String = "a") {
    let before = orders(servedBy: host).last ?? 0
    let taken = run(on: host, "backup", "orders", "--quiet")
    #expect(taken.exitStatus == 0, "\(taken.error)")
    if taken.exitStatus == 0 { acknowledged = max(acknowledged, before) }
  }

  func watch(on host: String) -> RunningProcess {
    let process = RunningProcess(start(on: host, ["watch", "--quiet"]))
    TestFiles.write("\(process.processID)", to: path("place/\(host).watch"))
    watch = process
    return process
  }

  // MARK: What was served

  /// The lines of the log of the service: the time, the host and the order.
  var log: [(time: UInt64, host: String, order: Int)] {
    let text = String(decoding: TestFiles.read(path("place/serving.log")) ?? [], as: UTF8.self)
    return text.split(separator: "\n").compactMap { line in
      let parts = line.split(separator: " ")
      guard parts.count == 3, let time = UInt64(parts[0]), let order = Int(parts[2]) else { return nil }
      return (time, String(parts[1]), order)
    }
  }

  func orders(servedBy host: String) -> [Int] { log.filter { $0.host == host }.map(\.order) }

  /// True if the hosts served one after the other: no line of one lies between lines of the other.
  var isServedByOneAtATime: Bool {
    let hosts = log.sorted { $0.time < $1.time }.map(\.host)
    return zip(hosts, hosts.dropFirst()).count { $0 != $1 } <= Set(hosts).count - 1
  }

  /// The highest order and the number of orders in the database of a host, while its shop may serve.
  func database(_ host: String) -> (highest: Int, count: Int) {
    let shop = Tool.root.appending("Tests/Fixtures/failover/shop.py").text
    let result = tool.other("python3", shop, "orders", path("\(host)/orders/orders.db").text)
    let parts = result.output.split(separator: "\n").first?.split(separator: " ").compactMap { Int($0) } ?? []
    #expect(result.exitStatus == 0 && parts.count == 2, "\(result.error)")
    return parts.count == 2 ? (parts[0], parts[1]) : (0, 0)
  }
}
