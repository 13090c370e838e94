internal import CLinux

/// The arguments of this process.
package enum CommandLineWords {
  /// All arguments after the program name. `CommandLine.arguments` is empty if /proc is not mounted, as in a rescue
  /// system: then a command would seem to have no arguments.
  package static var arguments: [String] {
    (0..<holdfast_argument_count()).dropFirst().map { String(cString: holdfast_argument($0)) }
  }
}
