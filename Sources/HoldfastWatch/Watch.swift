package import HoldfastConfiguration
package import HoldfastModel
package import HoldfastOperations
package import HoldfastStore
internal import HoldfastSystem

/// `holdfast watch`: watches sources side by side, each on a thread of its own, so that none waits for another; and
/// tells the manager of services how they stand.
package struct Watch {
  private static let lookInterval = TimeSpan.milliseconds(500)
  private let settings: Settings
  private let machine: MachineContext
  private let request: RepositoryRequest

  package init(settings: Settings, machine: MachineContext, _ request: RepositoryRequest) {
    (self.settings, self.machine, self.request) = (settings, machine, request)
  }

  /// Watches until a signal ends it. Then the lease of each source is given back.
  /// - Parameters:
  ///   - makeObserver: makes what shows what happens to one source; called on its thread.
  ///   - observers: makes those who learn of each heartbeat of a source.
  /// - Throws: when there is no source, one cannot be watched at all, or the system has no thread left.
  package func run(
    _ sources: [SourceSettings], makeObserver: @escaping @Sendable () -> any SourceRunObserver,
    observers: (SourceName) -> [any HeartbeatObserver] = { _ in [] }
  ) throws {
    guard !sources.isEmpty else {
      throw EngineError(
        .usage, "no source is configured that can be watched",
        hint: "Name a directory below sources: `orders: {path: /srv/orders}`.", exitStatus: .usage)
    }
    let clock = machine.host.clock
    let environment = machine.environment
    let service = ServiceNotices(
      socket: environment.text("NOTIFY_SOCKET"), watchdogMicroseconds: environment.text("WATCHDOG_USEC"),
      watchdogProcess: environment.text("WATCHDOG_PID"))
    var names: Set<SourceName> = []
    let watched = try sources.filter { names.insert($0.name).inserted }.map {
      (
        source: $0, path: try SourceWatch.directory(of: $0),
        board: WatchBoard($0.name, clock: clock, interval: $0.watch.heartbeat)
      )
    }
    var threads: [WorkerThread] = []
    defer {
      service?.stopping()
      threads.forEach { $0.join() }
    }
    for (source, path, board) in watched {
      let learning = observers(source.name)
      let thread = WorkerThread.start { [settings, machine, request] in
        SourceWatch(
          source, at: path, settings: settings, machine: machine, request, observer: makeObserver(), board: board,
          observers: learning
        ).run()
      }
      guard let thread else {
        machine.host.cancellation.raise()
        throw EngineError(
          .machine, "the system has no thread left to watch \(source.name)",
          hint: "Raise the limit of processes of this user (ulimit -u).")
      }
      threads.append(thread)
    }
    tell(service, watched.map(\.board))
  }

  private func tell(_ service: ServiceNotices?, _ boards: [WatchBoard]) {
    var told = ""
    var nextSign = TimeSpan.zero
    service?.ready(boards.map(\.line).joined(separator: "; "))
    while !machine.host.cancellation.isRaised {
      let line = boards.map(\.line).joined(separator: "; ")
      if line != told {
        service?.status(line)
        told = line
      }
      let now = machine.host.clock.uptime()
      if let watchdog = service?.watchdog, now >= nextSign, boards.allSatisfy({ $0.isAlive(within: watchdog) }) {
        service?.alive()
        nextSign = now + watchdog / 3
      }
      Pause.time(Self.lookInterval)
    }
  }
}
