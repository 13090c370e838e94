package import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// The answer that will come to a request, or the reason why none will.
final class SFTPReply: Sendable {
  private let latch = Latch()
  private let outcome = Mutex<Result<SFTPAnswer, any Error>?>(nil)
  /// The time at which the request was sent, by the uptime.
  let sent: TimeSpan
  /// The permits to which the request gives its own back.
  let permits: Permits?
  private let waits: SFTPWaits
  private let waitsBefore: Int

  init(sent: TimeSpan, _ permits: Permits?, _ waits: SFTPWaits) {
    (self.sent, self.permits, self.waits, waitsBefore) = (sent, permits, waits, waits.count)
  }

  func complete(_ result: Result<SFTPAnswer, any Error>) {
    outcome.withLock { $0 = result }
    permits?.giveBack()
    latch.open()
  }

  /// Waits for the answer. It always ends: if no answer comes, the connection ends.
  func wait() throws -> SFTPAnswer {
    latch.wait()
    waits.note(sent: waitsBefore)
    guard let result = outcome.withLock({ $0 }) else { preconditionFailure("a latch opens after the outcome is set") }
    return try result.get()
  }
}

/// The longest waits for a server.
package struct SFTPPatience: Sendable {
  /// The longest time without an answer or any bytes taken, while requests are waiting.
  package var stall = TimeSpan.minutes(1)
  /// The longest time for one request, whatever else is answered meanwhile.
  package var request = TimeSpan.minutes(10)
  /// The longest time without progress after a signal: unfinished work is cleaned up if the server answers.
  package var afterSignal = TimeSpan.seconds(5)

  package init() {}
}

/// One running command that speaks SFTP. Many threads send requests; one thread gets the answers, in any order. If
/// anything is wrong, the command is ended, and every waiting request fails.
final class SFTPConnection: Sendable {
  /// The longest packet that is accepted, in bytes. OpenSSH sends no longer one.
  static let packetBytesMax = 256 << 10
  /// The most requests that read or write bytes of files and wait for an answer; and the most of the others, which are
  /// small.
  private static let largeMax = 64
  private static let smallMax = 256

  private struct State {
    var waiting: [UInt32: SFTPReply] = [:]
    var nextNumber: UInt32 = 0
    var start: SFTPReply?
    /// The time at which the last answer came, or the last bytes were taken, by the uptime.
    var lastProgress: TimeSpan
    /// The reason why the connection has ended.
    var failure: (any Error)?
  }

  private let process: TalkingProcess
  private let state: Mutex<State>
  private let writing = Mutex<Void>(())
  private let large = Permits(largeMax)
  private let small = Permits(smallMax)
  private let patience: SFTPPatience
  private let host: Host
  private let traffic: Traffic
  private let waits: SFTPWaits
  /// Turns the cause of an end into an error for people.
  private let explain: @Sendable (SFTPEnd) -> any Error

  init(
    _ process: TalkingProcess, _ host: Host, _ patience: SFTPPatience, _ traffic: Traffic,
    _ waits: SFTPWaits, explain: @escaping @Sendable (SFTPEnd) -> any Error
  ) {
    self.process = process
    self.host = host
    self.patience = patience
    (self.traffic, self.waits) = (traffic, waits)
    self.explain = explain
    state = Mutex(State(lastProgress: host.clock.uptime()))
  }

  /// True if requests can still be made.
  var isAlive: Bool { state.withLock { $0.failure == nil } }

  /// The process ID of the command.
  var processID: Int32 { process.processID }

  // MARK: Asking

  /// Starts the protocol.
  /// - Returns: the extensions of the server, with their versions.
  func start() throws -> [String: String] {
    let reply = SFTPReply(sent: host.clock.uptime(), nil, waits)
    state.withLock { $0.start = reply }
    if !WorkerThread.detach({ [self] in receive() }) { fail(.closed) }
    try SFTPRequest.start.withUnsafeBytes { try write($0) }
    return try reply.wait().extensions()
  }

  /// Sends a request.
  /// - Parameter payload: the bytes that follow the fields of the request.
  func send(_ request: SFTPRequest, _ payload: UnsafeRawBufferPointer? = nil) throws -> SFTPReply {
    let permits = request.movesBytes ? large : small
    permits.take()
    let reply = SFTPReply(sent: host.clock.uptime(), permits, waits)
    let number: UInt32
    do {
      number = try state.withLock { state in
        if let failure = state.failure { throw failure }
        if state.waiting.isEmpty { state.lastProgress = reply.sent }
        repeat { state.nextNumber &+= 1 } while state.waiting[state.nextNumber] != nil
        state.waiting[state.nextNumber] = reply
        return state.nextNumber
      }
    } catch {
      permits.giveBack()
      throw error
    }
    // From here on the reply completes, by an answer or by the end of the connection, and gives its permit back.
    let packet = request.framed(as: number, payload: payload?.count ?? 0)
    traffic.countRequest(bytes: packet.count + (payload?.count ?? 0))
    try writing.withLock { _ in
      try packet.withUnsafeBytes { try write($0) }
      if let payload { try write(payload) }
    }
    return reply
  }

  /// Ends the connection at once. Waiting requests fail.
  func end() {
    process.kill()
    fail(.closed)
  }

  /// Tells the other side that nothing more is asked.
  func close() { process.endInput() }

  private func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    var begun = host.clock.uptime()
    while !rest.isEmpty {
      if let failure = state.withLock({ $0.failure }) { throw failure }
      guard let count = try process.write(rest) else {
        // The reading thread finds the reason.
        process.kill()
        return
      }
      let now = host.clock.uptime()
      if count > 0 {
        begun = now
        state.withLock { $0.lastProgress = now }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      } else if now - begun > patienceNow {
        fail(.stalled(for: patienceNow))
      }
    }
  }

  private var patienceNow: TimeSpan { host.cancellation.isRaised ? patience.afterSignal : patience.stall }

  // MARK: Getting answers

  private func receive() {
    let buffer = Buffer(capacity: Self.packetBytesMax + 4)
    do {
      while true {
        if let count = try process.read(into: buffer.free) {
          guard count > 0 else { return fail(.closed) }
          buffer.count += count
          try takePackets(buffer)
        }
        if let end = overdue() { return fail(end) }
      }
    } catch let violation as SFTPViolation {
      fail(.violation(violation.finding, beginning: SFTPText.printable(buffer.used)))
    } catch {
      fail(.closed)
    }
  }

  /// Returns the reason why waiting has to end; `nil` if it may go on.
  private func overdue() -> SFTPEnd? {
    let now = host.clock.uptime()
    let patience = patienceNow
    return state.withLock { state in
      if state.failure != nil { return .closed }
      let oldest = (state.start.map { [$0] } ?? []) + Array(state.waiting.values)
      guard let first = oldest.map(\.sent).min() else { return nil }
      if now - max(state.lastProgress, state.start?.sent ?? .zero) > patience { return .stalled(for: patience) }
      return now - first > self.patience.request ? .stalled(for: self.patience.request) : nil
    }
  }

  /// Takes whole packets out of the buffer, and leaves the beginning of the next one.
  private func takePackets(_ buffer: Buffer) throws {
    var taken = 0
    while buffer.count - taken >= 4 {
      let length = buffer.used[taken..<taken + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length >= 5, length <= Self.packetBytesMax else {
        throw SFTPViolation("a packet of \(length) bytes")
      }
      guard buffer.count - taken - 4 >= length else { break }
      try take(UnsafeRawBufferPointer(rebasing: buffer.used[taken + 4..<taken + 4 + length]))
      taken += 4 + length
    }
    guard taken > 0 else { return }
    let rest = UnsafeRawBufferPointer(rebasing: buffer.used[taken...])
    buffer.bytes.copyMemory(from: rest)
    buffer.count = rest.count
  }

  private func take(_ packet: UnsafeRawBufferPointer) throws {
    guard let kind = SFTPAnswer.Kind(rawValue: packet[0]) else {
      throw SFTPViolation("a packet of the unknown kind \(packet[0])")
    }
    traffic.countAnswer(bytes: packet.count)
    let number = packet[1..<5].reduce(0) { $0 << 8 | UInt32($1) }
    let now = host.clock.uptime()
    let (reply, isStart): (SFTPReply?, Bool) = state.withLock { state in
      state.lastProgress = now
      guard state.start == nil else {
        guard kind == .version else { return (nil, true) }
        defer { state.start = nil }
        return (state.start, true)
      }
      return (kind == .version ? nil : state.waiting.removeValue(forKey: number), false)
    }
    guard let reply else { throw SFTPViolation("an answer to no request") }
    if isStart, number < SFTPRequest.version { throw SFTPViolation("version \(number) of the protocol") }
    reply.complete(.success(SFTPAnswer(kind: kind, bytes: Array(packet[5...]))))
  }

  /// Ends the connection: every waiting request gets the error. Only the first reason counts.
  private func fail(_ end: SFTPEnd) {
    // After the end of its output, a command that has ended by itself reports the reason.
    process.endInput()
    if end == .closed { process.finishErrors() }
    process.kill()
    let isStarted = state.withLock { $0.start == nil }
    var end = end
    end.errorText = String(decoding: process.errorOutput, as: UTF8.self)
    end.isStarted = isStarted
    let error = explain(end)
    let waiting = state.withLock { state -> [SFTPReply] in
      if state.failure == nil { state.failure = error }
      defer { (state.waiting, state.start) = ([:], nil) }
      return Array(state.waiting.values) + (state.start.map { [$0] } ?? [])
    }
    for reply in waiting { reply.complete(.failure(error)) }
  }
}

/// The end of a connection, with its cause.
struct SFTPEnd: Equatable {
  enum Cause: Equatable {
    case closed
    case stalled(for: TimeSpan)
    case violation(String, beginning: String)
  }

  let cause: Cause
  /// The text that the command wrote to standard error.
  var errorText = ""
  /// True if SFTP was spoken before.
  var isStarted = false

  static let closed = SFTPEnd(cause: .closed)
  static func stalled(for span: TimeSpan) -> SFTPEnd { SFTPEnd(cause: .stalled(for: span)) }
  static func violation(_ finding: String, beginning: String) -> SFTPEnd {
    SFTPEnd(cause: .violation(finding, beginning: beginning))
  }
}
