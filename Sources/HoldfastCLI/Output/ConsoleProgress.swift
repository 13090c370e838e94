internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastSystem

/// Shows progress on standard error: a changing line on a terminal, otherwise a new line now and then; nothing when
/// quiet.
final class ConsoleProgress: RunProgress {
  private static let terminalInterval = TimeSpan.milliseconds(100)
  private static let logInterval = TimeSpan.seconds(30)
  private let isQuiet: Bool
  private let isTerminal: Bool
  private let clock: Clock
  private var phase = ""
  private var totalBytes: UInt64?
  private var bytes: UInt64 = 0
  private var skipped: UInt64 = 0
  private var files: UInt64 = 0
  private var begun = TimeSpan.zero
  private var lastShown = TimeSpan.zero
  private var isLineOpen = false

  init(isQuiet: Bool, isTerminal: Bool, clock: Clock) {
    self.isQuiet = isQuiet
    self.isTerminal = isTerminal
    self.clock = clock
  }

  func begin(phase: String, totalBytes: UInt64?) {
    let wasShown = isLineOpen
    end()
    self.phase = phase
    self.totalBytes = totalBytes
    (bytes, skipped, files) = (0, 0, 0)
    begun = clock.uptime()
    lastShown = begun
    // After a phase that was shown, the next one is shown at once.
    if wasShown { show(begun) }
  }

  func advance(bytes: UInt64, files: UInt64) {
    self.bytes = self.bytes.saturatingAdding(bytes)
    self.files = self.files.saturatingAdding(files)
    guard !isQuiet else { return }
    let now = clock.uptime()
    guard now - lastShown >= (isTerminal ? Self.terminalInterval : Self.logInterval) else { return }
    lastShown = now
    show(now)
  }

  func skip(bytes: UInt64) { skipped &+= bytes }

  private func show(_ now: TimeSpan) {
    if isTerminal {
      Console.errorFragment("\r\u{1B}[K" + line(now))
      isLineOpen = true
    } else {
      Console.error("holdfast: " + line(now))
    }
  }

  func note(_ message: String) {
    if !isQuiet { say(message) }
  }

  func warn(_ message: String) { say("WARNING: " + message, .yellow) }

  /// Removes the changing line.
  func end() {
    if isLineOpen { Console.errorFragment("\r\u{1B}[K") }
    isLineOpen = false
  }

  private func say(_ message: String, _ color: TextColor? = nil) {
    end()
    Console.error("holdfast: " + message, color)
  }

  private func line(_ now: TimeSpan) -> String {
    ProgressLine(
      phase: phase, bytes: bytes, skippedBytes: skipped, totalBytes: totalBytes, files: files, elapsed: now - begun
    ).text
  }
}
