internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastRepository
internal import HoldfastSetup
internal import HoldfastSystem

/// Asks an operator at the terminal for what the command line of a setup does not say.
final class SetupQuestions {
  /// The ways to protect a repository.
  enum Protection: String {
    case keyFile = "1"
    case passphrase = "2"
    case unsealed = "3"
  }

  private static let triesMax = 3
  private let machine: MachineContext
  /// True if something was asked.
  private(set) var hasAsked = false

  init(_ machine: MachineContext) { self.machine = machine }

  func source() throws -> String { try ask("Which directory is to be backed up?", instead: "the directory") { $0 } }

  func repository() throws -> String {
    try ask(
      "Where is the repository to be, on another disk than the directory?", instead: "--repository DIR"
    ) { $0 }
  }

  /// - Parameter site: the state before the setup: nothing is asked that a repository answers.
  func protection(_ site: SetupSite) throws -> Protection {
    if let repository = site.repository {
      guard repository.keyring.isSealed else { return .unsealed }
      return site.needsPassphrase ? .passphrase : .keyFile
    }
    return try ask(
      """
      Who shall be able to open the backups?
        1: whoever has a key file, which you then keep away from this machine
        2: whoever knows a passphrase
        3: everybody who can read the repository: it is not encrypted
      1, 2 or 3
      """, usual: "1", instead: "--key-file FILE, --passphrase or --unsealed"
    ) { Protection(rawValue: $0) }
  }

  /// - Parameter isNew: true if the file may be made.
  func keyFile(isNew: Bool) throws -> String {
    try ask(
      isNew
        ? "Where is the key file? It is made if it does not exist; a removable disk is a good place."
        : "Where is the key file that opens the repository?",
      usual: isNew ? machine.environment.home.map { "\($0.appending("holdfast-recovery.key"))" } : nil,
      instead: "--key-file FILE"
    ) { $0 }
  }

  /// - Returns: `nil` for the usual one.
  func compression() throws -> String? {
    let answer = try ask(
      "Compression, deflate or zstd? With zstd a restore takes a third less time, and Scripts/rescue.py, which restores without holdfast, needs the program zstd.",
      usual: "deflate", instead: "--compression"
    ) { ["deflate", "zstd"].contains($0) ? $0 : nil }
    return answer == "zstd" ? "zstd:3" : nil
  }

  /// - Parameter cluster: the cluster whose server is to be asked.
  func postgres(_ cluster: SourceContents.Cluster) throws -> String {
    guard Console.canAsk else {
      throw EngineError(
        .usage,
        "a PostgreSQL server runs on the cluster in the source, and there is no terminal to ask how to reach it",
        hint: "Say --postgres CONNINFO, for example: --postgres 'host=/var/run/postgresql user=postgres'",
        exitStatus: .usage)
    }
    return try ask(
      "Connection string of the PostgreSQL server that runs on it?", usual: cluster.connection,
      instead: "--postgres CONNINFO"
    ) { $0 }
  }

  /// - Returns: `nil` for no schedule.
  func every() throws -> String? {
    let answer = try ask(
      "When is a snapshot to be taken: 15m, hourly, daily, 02:30, or no?", usual: "15m",
      instead: "--every WHEN or --no-schedule"
    ) { $0 == "no" || Cadence($0) != nil ? $0 : nil }
    return answer == "no" ? nil : answer
  }

  /// Asks until there is an answer that can be used, three times at most.
  /// - Parameters:
  ///   - usual: the meaning of an empty answer; `nil` if it has none.
  ///   - flag: the flag that says the same.
  ///   - parse: returns `nil` for an answer that cannot be used.
  private func ask<Value>(
    _ question: String, usual: String? = nil, instead flag: String, _ parse: (String) -> Value?
  ) throws -> Value {
    hasAsked = true
    for _ in 0..<Self.triesMax {
      Console.errorFragment(question + (usual.map { " [\($0)]" } ?? "") + " ")
      let typed = try Console.answer(machine.host.cancellation)
      let answer = typed.isEmpty ? usual ?? "" : typed
      if !answer.isEmpty, let value = parse(answer) { return value }
      // The end of the input cannot be told from an empty answer, and would be read for ever.
      if answer.isEmpty { break }
      Console.error("holdfast: \"\(Path(answer))\" is no answer to that")
    }
    throw EngineError(
      .usage, "a question was not answered, and nothing was made", hint: "Answer it, or say \(flag).",
      exitStatus: .usage)
  }
}
