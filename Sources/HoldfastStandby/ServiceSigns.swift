internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastSystem
internal import Synchronization

/// Tells the manager of services how a standby stands, on a thread of its own: a pass may take long.
struct ServiceSigns {
  private static let interval = TimeSpan.milliseconds(500)
  private let service: ServiceNotices?
  private let thread: RepeatingThread?

  init(_ board: StandbyBoard, _ machine: MachineContext) {
    let environment = machine.environment
    let service = ServiceNotices(
      socket: environment.text("NOTIFY_SOCKET"), watchdogMicroseconds: environment.text("WATCHDOG_USEC"),
      watchdogProcess: environment.text("WATCHDOG_PID"))
    self.service = service
    guard let service else {
      thread = nil
      return
    }
    service.ready(board.line)
    let clock = machine.host.clock
    let told = Mutex((line: board.line, nextSign: TimeSpan.zero))
    thread = RepeatingThread.start(every: Self.interval) {
      let (line, now) = (board.line, clock.uptime())
      told.withLock { told in
        if line != told.line { service.status(line) }
        told.line = line
        guard let watchdog = service.watchdog, now >= told.nextSign, board.isAlive(within: watchdog) else { return }
        service.alive()
        told.nextSign = now + watchdog / 3
      }
      return true
    }
  }

  func end() {
    service?.stopping()
    thread?.stop()
  }
}

/// Warnings that other threads give while a repository is read.
final class Warnings: Sendable {
  private let texts = Mutex<[String]>([])

  func add(_ text: String) { texts.withLock { $0.append(text) } }

  func take() -> [String] {
    texts.withLock { texts in
      defer { texts = [] }
      return texts
    }
  }
}
