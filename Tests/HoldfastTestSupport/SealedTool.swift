package import HoldfastModel

/// The built `holdfast` with a sealed repository: keys, a writer key and a memory of its own beside source, repository
/// and cache.
package struct SealedTool: Sendable {
  package let tool: Tool

  package var directory: TemporaryDirectory { tool.directory }
  package var source: Path { tool.source }
  package var repository: Path { tool.repository }
  /// The identity of the recipient that `makeRepository` seals to.
  package var identity: Path { directory.appending("identity") }
  package var writerKey: Path { directory.appending("writer.key") }
  package var state: Path { tool.state }

  /// Makes the directory, and a source with one order.
  package init() {
    tool = Tool()
    TestFiles.write("an order", to: source.appending("orders"))
  }

  /// Makes the directory with a copy of everything that another one has.
  package init(copyOf other: SealedTool) { tool = Tool(copyOf: other.tool) }

  /// Returns the start of `holdfast`. A test changes what should be different.
  package func start(_ arguments: [String]) -> RunningProcess.Start {
    var start = tool.start(arguments)
    // The user who runs the tests must not be asked for a passphrase.
    start.hasOwnSession = true
    start.environment["HOLDFAST_WRITER_KEY_FILE"] = writerKey.text
    return start
  }

  /// Runs `holdfast` to its end, in the temporary directory.
  @discardableResult
  package func run(_ arguments: String..., configure: (inout RunningProcess.Start) -> Void = { _ in }) -> ProcessResult
  {
    run(arguments, configure: configure)
  }

  @discardableResult
  package func run(_ arguments: [String], configure: (inout RunningProcess.Start) -> Void = { _ in }) -> ProcessResult {
    var start = start(arguments)
    configure(&start)
    return RunningProcess(start).wait()
  }

  /// Makes a key file in the temporary directory.
  /// - Returns: its public key.
  @discardableResult
  package func generate(_ name: String, _ options: String...) -> String {
    let result = run(["key", "generate", name] + options)
    guard result.exitStatus == 0 else { fatalError("key generate: \(result.error)") }
    return String(result.output.dropLast())
  }

  /// Makes the identity, and a repository that is sealed to it.
  /// - Returns: the recipient.
  @discardableResult
  package func makeRepository() -> String {
    let recipient = generate("identity")
    let made = run("init", "--recipient", recipient)
    guard made.exitStatus == 0 else { fatalError("init: \(made.error)") }
    return recipient
  }

  /// Writes a file with a passphrase, which only its owner can read.
  package func writePassphrase(_ text: String, to name: String = "passphrase") {
    writeSecret(Array(text.utf8), to: name)
  }

  package func writeSecret(_ bytes: [UInt8], to name: String) {
    TestFiles.write(bytes, to: directory.appending(name))
    TestFiles.setMode(directory.appending(name), 0o600)
  }

  /// Returns the secret of a key file: its last line.
  package func secret(_ name: String) -> String {
    let text = String(decoding: TestFiles.read(directory.appending(name)) ?? [], as: UTF8.self)
    return text.split(separator: "\n").last.map(String.init) ?? ""
  }

  /// Returns the short IDs that `key list` shows of the recipients, or of the writers.
  package func shortIDs(of kind: String) -> [String] {
    run("key", "list").output.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      return words.first.map(String.init) == kind ? String(words[1]) : nil
    }
  }

  /// Returns `text` with everything substituted that differs from run to run, including keys.
  package func plain(_ text: String) -> String {
    var plain = text
    plain.replace(/holdfast-recipient-[0-9a-f]{128}-[0-9a-f]{8}/, with: "RECIPIENT")
    plain.replace(/holdfast-writer-[0-9a-f]{64}-[0-9a-f]{8}/, with: "WRITER")
    return tool.plain(plain)
  }
}
