internal import Glibc
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastSystem
internal import Synchronization

/// Writes results to standard output, everything else to standard error.
enum Console {
  /// Standard output belongs to the whole process, and so does this failure.
  private static let outputFailure = Mutex<EngineError?>(nil)

  /// The first failure to write a result, which must not look like success. A reader that closed its end is not a
  /// failure.
  static var lostOutput: EngineError? { outputFailure.withLock { $0 } }

  private static let json = Atomic(false)

  /// True if a result was written as JSON.
  static var hasWrittenJSON: Bool { json.load(ordering: .relaxed) }

  /// Notes that a result is written as JSON by other means than those of this type.
  static func noteJSON() { json.store(true, ordering: .relaxed) }

  static func output(_ text: String) { outputText(text + "\n") }

  private static func outputText(_ text: String) {
    let code = write(text, to: STDOUT_FILENO)
    guard code != 0, code != EPIPE else { return }
    let reason = SystemError("write", Path("standard output"), code: code).reason
    outputFailure.withLock {
      $0 = EngineError(
        .machine, "the results could not be written to standard output: \(reason)",
        hint: "What was asked is done; send the output elsewhere to see it.")
    }
  }

  /// Writes a part of a result, without a newline.
  static func outputFragment(_ text: String) { outputText(text) }

  /// Prints a message.
  /// - Parameter color: the colour of its first line on a terminal: red for errors, yellow for warnings.
  static func error(_ text: String, _ color: TextColor? = nil) {
    let shown = color.map { showsColors(STDERR_FILENO) ? $0.shown(text) : text } ?? text
    _ = write(shown + "\n", to: STDERR_FILENO)
  }

  /// Prints a warning: the operator should know it, and the command continues.
  static func warn(_ text: String) { error("holdfast: WARNING: " + text, .yellow) }

  /// The same from any thread: a line of progress may be open on a terminal.
  static func warnAboveProgress(_ text: String) {
    if isErrorTerminal { errorFragment("\r\u{1B}[K") }
    warn(text)
  }

  /// Prints the next thing to do, as a sentence.
  static func hint(_ text: String) { error("HINT: " + text) }

  static func errorFragment(_ text: String) { _ = write(text, to: STDERR_FILENO) }

  static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }
  static var isOutputTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// True if results on standard output may have colours.
  static var showsColors: Bool { showsColors(STDOUT_FILENO) }

  private static func showsColors(_ descriptor: Int32) -> Bool {
    isatty(descriptor) == 1 && ProcessEnvironment.ofThisProcess.allowsColors
  }

  /// True if an operator can see a question and answer it.
  static var canAsk: Bool { isErrorTerminal && isatty(STDIN_FILENO) == 1 }

  /// Reads one line from standard input, without its newline.
  static func answer(_ cancellation: Cancellation) throws -> String {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while true {
      try cancellation.awaitInput(STDIN_FILENO)
      guard read(STDIN_FILENO, &byte, 1) == 1, byte != UInt8(ascii: "\n") else { break }
      line.append(byte)
    }
    return String(decoding: line, as: UTF8.self)
  }

  /// Writes the result of a command as a JSON document, with sorted keys.
  /// - Parameter value: must be encoded as an object.
  static func json(_ value: some Encodable) throws {
    json.store(true, ordering: .relaxed)
    output(try JSONText.document(value))
  }

  /// Writes the result of a command as JSON, with the requests that it made.
  static func json(_ value: some Encodable, _ machine: MachineContext) throws {
    try json(WithTransfer(value, machine.traffic.counts))
  }

  /// Writes a document on one line, for a command that writes one again and again.
  static func jsonLine(_ value: some Encodable) throws {
    json.store(true, ordering: .relaxed)
    output(try JSONText.documentLine(value))
  }

  /// Prints the number of requests that a command made, if any.
  static func transfer(_ machine: MachineContext) {
    if let line = TransferText.line(machine.traffic.counts) { output("  " + line) }
  }

  /// - Returns: errno when not everything could be written; otherwise 0.
  private static func write(_ text: String, to descriptor: Int32) -> Int32 {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return count < 0 ? errno : EIO }
      bytes = bytes.dropFirst(count)
    }
    return 0
  }
}
