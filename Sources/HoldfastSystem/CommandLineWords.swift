internal import CLinux

/// The words that this process was started with.
package enum CommandLineWords {
  /// All after the name of the program. `CommandLine.arguments` is empty where /proc is not mounted, as in a rescue system: then nothing would seem to be asked for.
  package static var arguments: [String] {
    (0..<holdfast_argument_count()).dropFirst().map { String(cString: holdfast_argument($0)) }
  }
}
