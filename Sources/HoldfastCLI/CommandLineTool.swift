internal import ArgumentParser
internal import HoldfastConfiguration
internal import HoldfastEngine
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastSystem

/// The program: parses, runs, and turns an error into a message and an exit status. No other code does that.
package enum CommandLineTool {
  /// Runs the command line of this process.
  package static func run() -> Int32 { run(CommandLineWords.arguments) }

  private static func run(_ arguments: [String]) -> Int32 {
    do {
      if arguments == ["--version"] {
        // Scripts ask this often, and no command has to be known for it.
        Console.output(VersionText.text)
      } else {
        // Patroni says so where there is no leader, and the parser takes no empty value in this form.
        let words = arguments.first == "patroni" ? arguments.filter { $0 != "--connstring=" } : arguments
        var command = try Holdfast.parseAsRoot(words)
        try command.run()
      }
      if let lost = Console.lostOutput { throw lost }
      return ExitStatus.done.rawValue
    } catch let end as NoSuchWAL {
      // The only failure of `wal fetch` that must not look like a failure to PostgreSQL.
      Console.error("holdfast: \(end)", .red)
      return end.exitStatus.rawValue
    } catch {
      if Candidates.areAskedFor(by: arguments), Holdfast.exitCode(for: error) != .success {
        // Completion must not disturb an operator who is typing.
        return ExitStatus.failed.rawValue
      }
      if StatusCommand.isPlugin(arguments), !(error is NagiosOutcome), Holdfast.exitCode(for: error) != .success {
        return endPlugin(error, arguments)
      }
      writeJSON(error, arguments, status: nil)
      let status = end(error, arguments)
      guard WALFetchCommand.isMeant(by: arguments), status != ExitStatus.done.rawValue else { return status }
      return max(status, ExitStatus.fetchFailed.rawValue)
    }
  }

  /// Ends a plugin that has printed no line of its own, because its command line is wrong: UNKNOWN. With `--json`, too,
  /// standard output has the document alone.
  private static func endPlugin(_ error: any Error, _ arguments: [String]) -> Int32 {
    let status = NagiosStatus.unknown.rawValue
    writeJSON(error, arguments, status: status)
    if !Console.hasWrittenJSON {
      let message = ErrorJSON(usage: UsageErrorText.text(error, arguments)).error.message
      Console.output(NagiosLine(unknown: message).text)
    }
    _ = end(error, arguments)
    return status
  }

  /// Writes an error as JSON to standard output, if the arguments ask for JSON and the command has written no result.
  /// - Parameter status: the exit status of the process, where it is not that of the error.
  private static func writeJSON(_ error: any Error, _ arguments: [String], status: Int32?) {
    guard arguments.prefix(while: { $0 != "--" }).contains("--json"), !Console.hasWrittenJSON else { return }
    // Help that was asked for, and results that have been told.
    guard Holdfast.exitCode(for: error) != .success, !(error is Outcome), !(error is NagiosOutcome) else { return }
    if !(error is any OperatorError), Holdfast.exitCode(for: error) == .validationFailure {
      try? Console.json(
        ErrorJSON(
          usage: UsageErrorText.text(error, arguments), exitStatus: status ?? ExitStatus.usage.rawValue))
    } else {
      let known = describe(error)
      try? Console.json(ErrorJSON(known, known.exitStatus))
    }
  }

  private static func end(_ error: any Error, _ arguments: [String]) -> Int32 {
    if let outcome = error as? Outcome { return outcome.status.rawValue }
    if let outcome = error as? NagiosOutcome { return outcome.status.rawValue }
    guard let known = error as? any OperatorError else { return report(error, arguments) }
    if let refused = known as? SystemError, refused.isBrokenPipe { return ExitStatus.failed.rawValue }
    // A scheduled run sometimes finds another one at work. That is expected, so it is not reported.
    if known.exitStatus == .locked, ProcessEnvironment.ofThisProcess.isScheduled { return known.exitStatus.rawValue }
    Console.error("holdfast: \(known)", .red)
    return known.exitStatus.rawValue
  }

  /// Prints the messages of the argument parser: help on standard output; everything else is wrong usage.
  private static func report(_ error: any Error, _ arguments: [String]) -> Int32 {
    if Holdfast.exitCode(for: error) == .success {
      let text = Holdfast.fullMessage(for: error)
      Console.output(text == Program.nameAndVersion ? VersionText.textWithLoadedLibraries : text)
      return ExitStatus.done.rawValue
    }
    if Holdfast.exitCode(for: error) == .validationFailure {
      Console.error(UsageErrorText.text(error, arguments), .red)
      return ExitStatus.usage.rawValue
    }
    Console.error("holdfast: \(error)", .red)
    return ExitStatus.failed.rawValue
  }
}
