internal import ArgumentParser
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The options of a command that shows a plan and asks before it begins.
struct ConfirmationOptions: ParsableArguments {
  @Flag(name: .long, help: "Only show what would be done.")
  var dryRun = false

  @Flag(name: .long, help: "Do not ask.")
  var yes = false

  func validate() throws {
    if dryRun, yes { throw ValidationError("--dry-run and --yes exclude each other") }
  }

  /// Shows a plan on standard error, and asks.
  /// - Throws: `EngineError` unless the answer is yes; with exit status 2 where nobody can be asked.
  func confirm(_ plan: [String], _ question: String, quiet: Bool, _ cancellation: Cancellation) throws {
    if !yes || !quiet { plan.forEach { Console.error($0) } }
    guard !yes else { return }
    guard Console.canAsk else {
      throw EngineError(
        .usage, "nobody can be asked here, and nothing was changed",
        hint: "Look at the plan with --dry-run, then say --yes.", exitStatus: .usage)
    }
    try Confirmation.ask(question, cancellation)
  }
}
