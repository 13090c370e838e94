internal import Glibc
package import HoldfastModel

/// The processes of this machine.
package enum ProcessTable {
  /// Returns true if a process with this number exists. If that cannot be told, it returns true.
  package static func isRunning(_ process: Int32) -> Bool {
    kill(process, 0) == 0 || errno != ESRCH
  }
}

/// A process, as proc(5) shows it.
package struct ProcessEntry: Sendable {
  package let number: Int32
  /// The name of its program, at most 15 bytes; any user may read it.
  package let name: String
  /// True if it has ended, with all files closed, and its parent has not fetched the exit status yet.
  package let hasEnded: Bool
  /// The user that it runs as.
  package let userID: UInt32
  /// Its working directory; `nil` if only root and its own user may see it.
  package let workingDirectory: FileStatus?

  /// A path to its working directory. It works from another mount namespace too.
  package var workingDirectoryPath: Path { Path("/proc/\(number)/cwd") }
  /// A path to its root directory.
  package var rootPath: Path { Path("/proc/\(number)/root") }
}

extension FileSystem {
  /// Returns the process with this number; `nil` if it cannot be seen.
  package func process(_ number: Int32) -> ProcessEntry? {
    guard number > 0 else { return nil }
    return process(Path("/proc/\(number)"), number) { _ in true }
  }

  /// Returns the visible processes with a wanted name, in ascending order of their numbers.
  package func processes(named isWanted: (String) -> Bool) -> [ProcessEntry] {
    guard let table = try? open(Path("/proc"), .directory), let listing = try? table.listing() else { return [] }
    let numbers = (0..<listing.count).compactMap { Int32(String(decoding: listing[$0], as: UTF8.self)) }
    return numbers.sorted().compactMap { process(Path("/proc/\($0)"), $0, isWanted) }.filter { !$0.hasEnded }
  }

  private func process(_ directory: Path, _ number: Int32, _ isWanted: (String) -> Bool) -> ProcessEntry? {
    guard let text = try? open(directory.appending("stat"), .read).contents(max: 4096),
      let owner = try? status(of: directory),
      let (name, state) = Self.nameAndState(text), isWanted(name)
    else { return nil }
    return ProcessEntry(
      number: number, name: name, hasEnded: Self.ended.contains(state), userID: owner.userID,
      workingDirectory: try? status(of: directory.appending("cwd"), followLink: true))
  }

  /// The states of zombies and of processes that are just ending.
  private static let ended = Array("ZXx".utf8)

  /// Parses `812 (postgres) S …`. The name may contain parentheses and spaces.
  private static func nameAndState(_ text: [UInt8]) -> (String, UInt8)? {
    guard let begin = text.firstIndex(of: UInt8(ascii: "(")), let end = text.lastIndex(of: UInt8(ascii: ")")),
      begin < end, end + 2 < text.count
    else { return nil }
    return (String(decoding: text[(begin + 1)..<end], as: UTF8.self), text[end + 2])
  }
}
