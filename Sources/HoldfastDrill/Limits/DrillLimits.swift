internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem
internal import Synchronization

/// The limits of time and room of a drill. A thread looks at the clock and at the disk while the drill works; when a
/// limit is passed, it raises the drill's cancellation, which ends whatever is being done.
final class DrillLimits: Sendable {
  /// The free space that a drill with a server leaves to others on its file system, and the most that any leaves. A
  /// server writes some hundred MiB between two looks at the most.
  private static let freeBytesOfServer: UInt64 = 256 << 20
  private static let freeBytesMin: UInt64 = 8 << 20

  /// Returns the free space that a drill leaves to others on its file system. Without a server little is written but
  /// what is restored.
  /// - Parameter bytes: the bytes of the snapshot.
  static func freeBytes(leftBeside bytes: UInt64, hasServer: Bool) -> UInt64 {
    hasServer ? freeBytesOfServer : min(freeBytesOfServer, freeBytesMin + bytes / 4)
  }

  /// A limit that was passed.
  enum Breach: Sendable {
    /// The drill took longer than this.
    case time(TimeSpan)
    /// One assertion took longer than this. They are numbered from 1.
    case assertion(Int, TimeSpan)
    /// So much space is free where it works.
    case room(UInt64, in: Path, left: UInt64)
    /// It holds so much, and may hold less.
    case size(UInt64, max: UInt64)
    /// It cannot be told how much it holds.
    case unknownSize(String, in: Path)
  }

  private struct State {
    var deadline: TimeSpan
    var limit: Breach
    var room: Room?
    var breach: Breach?
    var isOver = false
  }

  /// The scratch directory, whose file system and size are watched.
  private struct Room: Sendable {
    let directory: OpenFile
    /// Its path, for people.
    let path: Path
    /// The free space that is left to others.
    let freeBytesMin: UInt64
    var bytesMax: UInt64?
    /// The time at which its size is looked at next.
    var next = TimeSpan.zero
  }

  /// Raised when a limit is passed, and with the run's own.
  let cancellation: Cancellation
  private let host: Host
  private let state: Mutex<State>
  private let end: TimeSpan
  private let timeout: TimeSpan

  /// - Parameter timeout: the most time of the drill, from now on.
  init(_ host: Host, timeout: TimeSpan) {
    cancellation = Cancellation(below: host.cancellation)
    (self.host, self.timeout, end) = (host, timeout, host.clock.uptime() + timeout)
    state = Mutex(State(deadline: end, limit: .time(timeout)))
  }

  /// The limit that was passed; `nil` if none was, or if the run itself was ended by a signal.
  var breach: Breach? { host.cancellation.isRaised ? nil : state.withLock { $0.breach } }

  /// Begins to look, until `stop` is called.
  /// - Throws: `EngineError` if the system gives no thread.
  func begin() throws {
    guard WorkerThread.detach({ [self] in watch() }) else {
      throw EngineError(
        .machine, "the system gives no thread that watches the drill", hint: "Raise the limit of processes (ulimit -u)."
      )
    }
  }

  func stop() { state.withLock { $0.isOver = true } }

  /// Watches the free space of the file system of a directory from now on.
  /// - Parameters:
  ///   - path: its path, for people.
  ///   - freeBytes: the free space that is left to others.
  func watchRoom(of directory: OpenFile, at path: Path, leaving freeBytes: UInt64) {
    state.withLock { $0.room = Room(directory: directory, path: path, freeBytesMin: freeBytes) }
  }

  /// Watches the size of that directory too: a server that replays its log makes it larger.
  func watchSize(max: UInt64?) { state.withLock { $0.room?.bytesMax = max } }

  /// Does work that has a limit of its own.
  /// - Parameter span: `nil` for none but that of the drill.
  func ask<Answer>(_ number: Int, within span: TimeSpan?, _ work: () throws -> Answer) throws -> Answer {
    if let span {
      let own = host.clock.uptime() + span
      state.withLock { if own < end { ($0.deadline, $0.limit) = (own, .assertion(number, span)) } }
    }
    defer { state.withLock { ($0.deadline, $0.limit) = (end, .time(timeout)) } }
    return try work()
  }

  // MARK: Watching

  private func watch() {
    while true {
      let now = host.clock.uptime()
      let isOver = state.withLock { state in
        if !state.isOver, now >= state.deadline { state.breach = state.limit }
        return state.isOver || state.breach != nil
      }
      if isOver { break }
      if let breach = lookAtRoom(now) {
        state.withLock { if !$0.isOver { $0.breach = breach } }
        continue
      }
      Pause.briefly()
    }
    if state.withLock({ $0.breach != nil }) { cancellation.raise() }
  }

  private func lookAtRoom(_ now: TimeSpan) -> Breach? {
    guard let room = state.withLock({ $0.room }) else { return nil }
    if let free = (try? room.directory.availableBytes()) ?? nil, free < room.freeBytesMin {
      return .room(free, in: room.path, left: room.freeBytesMin)
    }
    guard let max = room.bytesMax, now >= room.next else { return nil }
    let size: UInt64
    do {
      size = try TreeSize.allocatedBytes(in: room.directory, host.files, cancellation)
    } catch {
      return cancellation.isRaised ? nil : .unknownSize(describe(error).message, in: room.path)
    }
    // Much less time is spent on looking than on the drill.
    let took = host.clock.uptime() - now
    state.withLock { $0.room?.next = now + .milliseconds(200) + took * 20 }
    return size > max ? .size(size, max: max) : nil
  }
}

/// The size of a tree that others change meanwhile.
private enum TreeSize {
  /// Returns the bytes that the files below a directory occupy. What goes away meanwhile counts as nothing.
  /// - Throws: when a part of it cannot be examined.
  static func allocatedBytes(
    in directory: OpenFile, _ files: FileSystem, _ cancellation: Cancellation
  ) throws -> UInt64 {
    let scanner = Scanner(files: files, root: directory, exclusions: [])
    var bytes: UInt64 = 0
    while let finding = try scanner.next() {
      try cancellation.check()
      switch finding {
      case .item(let item): bytes = bytes.saturatingAdding(item.status.kind == .directory ? 0 : item.status.allocated)
      case .problem(let problem, _):
        throw EngineError(.machine, "cannot examine \(problem.path): \(problem.reason)", hint: nil)
      case .socket: continue
      }
    }
    return bytes
  }
}
