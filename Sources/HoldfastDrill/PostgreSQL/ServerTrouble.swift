internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Tells what the server of a drill says of this machine from what it says of the restored cluster.
enum ServerTrouble {
  /// Texts of errors of the system, and of PostgreSQL's own where this machine lacks something.
  private static let ofMachine = [
    "No space left on device", "Disk quota exceeded", "File too large", "Read-only file system",
    "Input/output error", "Structure needs cleaning", "Stale file handle", "Transport endpoint is not connected",
    "Cannot allocate memory", "out of memory", "Too many open files", "Resource temporarily unavailable",
    "Permission denied", "Operation not permitted", "Address already in use", "could not create shared memory segment",
    "could not map anonymous shared memory", "could not resize shared memory", "could not create semaphores",
    "could not load library", "could not access file \"$libdir", "could not open extension control file",
  ]
  /// Signals that come from outside of the server: SIGBUS (no room in /dev/shm, or a disk that cannot be read),
  /// SIGKILL (the kernel, where memory ends) and SIGTERM. One that crashes by itself does so on the data.
  private static let foreignSignals: Set<Int32> = [7, 9, 15]

  /// True if a line of the server tells of this machine.
  static func isOfMachine(_ line: some StringProtocol) -> Bool { ofMachine.contains { line.contains($0) } }

  /// Returns the reason why a server ended before it was told to.
  /// - Parameters:
  ///   - lines: those of its log.
  ///   - occasion: words that follow "ended", such as `while it was asked`.
  static func error(_ status: SupervisedCommand.Status, _ lines: [Substring], _ occasion: String) -> any OperatorError {
    if let signal = foreignSignal(status, lines) {
      return EngineError(
        .machine, "the server of the restored cluster was killed by signal \(signal) \(occasion)",
        hint: signal == 9 ? "Find out who killed it: the kernel does where memory ends (dmesg)." : nil)
    }
    let last = lines.last { $0.contains("FATAL:") || $0.contains("PANIC:") } ?? lines.last
    let said = last.map { ": \(Path(String($0)))" } ?? ""
    let hint = "The log of the drill has what it said."
    // The shell's statuses for a program that it cannot start, or whose libraries are missing.
    if status == .exited(126) || status == .exited(127) || last.map({ isOfMachine($0) }) == true {
      return EngineError(.machine, "the server of the restored cluster cannot run here\(said)", hint: hint)
    }
    return DrillFailure("the server of the restored cluster ended \(occasion)\(said)", hint: hint)
  }

  private static func foreignSignal(_ status: SupervisedCommand.Status, _ lines: [Substring]) -> Int32? {
    if case .signaled(let signal) = status { return foreignSignals.contains(signal) ? signal : nil }
    let mark = "was terminated by signal "
    for line in lines.suffix(20) {
      guard let range = line.firstRange(of: mark), let signal = Int32(line[range.upperBound...].prefix { $0.isNumber })
      else { continue }
      return foreignSignals.contains(signal) ? signal : nil
    }
    return nil
  }

  private static let mark = "PostgreSQL says: "

  /// Returns the error of a drill for a statement that failed.
  static func error(_ failure: PostgresFailure, in database: String) -> any OperatorError {
    // Where no session began, only the hint of the failure has the server's reason, for the live server of a backup.
    let reason = failure.hint.flatMap { hint in hint.firstRange(of: mark).map { String(hint[$0.lowerBound...]) } }
    let (said, hint) = failure.state.isEmpty ? (reason ?? failure.message, nil) : (failure.message, failure.hint)
    let message = "database \(Path(database)): \(said)"
    // The classes and codes of PostgreSQL's appendix A: insufficient resources, intervention of an operator, an error
    // of the system.
    if ["53", "57"].contains(failure.state.prefix(2)) || failure.state == "58030" || isOfMachine(message) {
      return EngineError(.machine, message, hint: hint)
    }
    // Insufficient privilege; a transaction that may only read.
    if ["42501", "25006"].contains(failure.state) {
      return EngineError(.usage, message, hint: "Assertions are asked as a role that may read everything, and no more.")
    }
    return DrillFailure(message, hint: hint)
  }
}

/// The error that a server in recovery could not get a file of its log.
struct LogNotFetched: Error {
  /// The name of the file.
  let file: String
  /// The line of the server.
  let line: String

  /// - Returns: `nil` if the lines tell of no such file.
  init?(_ lines: [Substring]) {
    guard
      let line = lines.last(where: { $0.contains("FATAL:") && $0.contains("could not restore file \"") }),
      let name = line.split(separator: "\"").dropFirst().first
    else { return nil }
    (file, self.line) = (String(name), Path(String(line)).description)
  }
}
