internal import HoldfastArchive
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// Asks at the terminal whether something may be done.
enum Confirmation {
  /// - Parameter hint: the hint after another answer than yes.
  /// - Throws: `EngineError` unless the answer is yes.
  static func ask(
    _ question: String, _ cancellation: Cancellation, hint: String = "Answer yes, or say --yes."
  ) throws {
    Console.error("holdfast: \(question)")
    try askForYes(cancellation, hint: hint)
  }

  /// Asks whether a restore may change existing content.
  /// - Throws: `EngineError` unless the answer is yes. If nothing would be changed or removed, nothing is asked.
  static func ask(_ impact: Restore.Impact, _ cancellation: Cancellation) throws {
    guard impact.isAny else { return }
    let envelope = impact.snapshot.envelope
    let targets = impact.parts.map(\.target.description).joined(separator: ", ")
    Console.error(
      "holdfast: restore \(envelope.snapshot.short) of \(envelope.source.name), taken \(TimeText.local(envelope.started)), from \(impact.location) over \(targets)?"
    )
    for part in impact.parts where part.changed > 0 || part.removed > 0 {
      Console.error(
        "  of \(Amount.count(part.shared + part.removed, "entry", "entries")) in \(part.target) it would change at least \(part.changed), and remove \(part.removed) (\(Amount.bytes(part.removedBytes)))"
      )
    }
    do { try impact.check() } catch { Console.error("  WARNING: \(describe(error).message)") }
    try askForYes(cancellation, hint: "Answer yes, or say --yes.")
  }

  private static func askForYes(_ cancellation: Cancellation, hint: String) throws {
    Console.errorFragment("Type yes to go on: ")
    guard try Console.answer(cancellation).lowercased() == "yes" else {
      throw EngineError(.usage, "it was not confirmed, and nothing was changed", hint: hint)
    }
  }
}
