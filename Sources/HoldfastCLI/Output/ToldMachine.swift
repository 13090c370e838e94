internal import HoldfastOperations

extension RepositoryOptions {
  /// Returns the context of the command. While a server does not answer, standard error says that the command waits for
  /// it. With `--quiet` a run that succeeds in the end stays silent.
  /// - Parameter output: the options of the command for its output; `nil` when it has none.
  func machine(_ output: OutputOptions?) -> MachineContext {
    let isQuiet = output?.quiet ?? false
    return MachineContext.ofThisProcess(config: config) { text in
      guard !isQuiet else { return }
      // A line of progress may be open on a terminal.
      Console.error((Console.isErrorTerminal ? "\r\u{1B}[K" : "") + "holdfast: " + text)
    }
  }
}
