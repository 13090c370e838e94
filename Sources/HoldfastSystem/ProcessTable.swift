internal import CLinux
internal import Glibc
package import HoldfastModel

/// What runs on this machine.
package enum ProcessTable {
  /// Whether there is a process of that number; in doubt, and of another user, there is.
  package static func isRunning(_ process: Int32) -> Bool {
    kill(process, 0) == 0 || errno != ESRCH
  }
}

/// A process, as proc(5) shows it.
package struct ProcessEntry: Sendable {
  package let number: Int32
  /// What its program is called, 15 bytes at most; any user may read it.
  package let name: String
  /// Whether it has nothing open any more, and only waits to be asked for how it ended.
  package let hasEnded: Bool
  /// Whose it is.
  package let userID: UInt32
  /// Its working directory; `nil` where only root and its own user may know.
  package let workingDirectory: FileStatus?

  /// The same directory, for opening: it leads there from another mount namespace as well.
  package var workingDirectoryPath: Path { Path("/proc/\(number)/cwd") }
  /// What the process takes for the root directory.
  package var rootPath: Path { Path("/proc/\(number)/root") }
}

extension FileSystem {
  /// Whether processes can be seen at all: not where /proc is not mounted.
  package static var seesProcesses: Bool { holdfast_has_proc() == 1 }

  /// The process of a number; `nil` where it cannot be seen.
  package func process(_ number: Int32) -> ProcessEntry? {
    guard number > 0 else { return nil }
    return process(Path("/proc/\(number)"), number) { _ in true }
  }

  /// The processes that can be seen from here and have a name that is wanted, in ascending order of their numbers.
  package func processes(named isWanted: (String) -> Bool) -> [ProcessEntry] {
    guard let table = try? open(Path("/proc"), .directory), let listing = try? table.listing() else { return [] }
    let numbers = (0..<listing.count).compactMap { Int32(String(decoding: listing[$0], as: UTF8.self)) }
    return numbers.sorted().compactMap { process(Path("/proc/\($0)"), $0, isWanted) }.filter { !$0.hasEnded }
  }

  private func process(_ place: Path, _ number: Int32, _ isWanted: (String) -> Bool) -> ProcessEntry? {
    guard let text = try? open(place.appending("stat"), .read).contents(max: 4096), let owner = try? status(of: place),
      let (name, state) = Self.nameAndState(text), isWanted(name)
    else { return nil }
    return ProcessEntry(
      number: number, name: name, hasEnded: Self.ended.contains(state), userID: owner.userID,
      workingDirectory: try? status(of: place.appending("cwd"), followLink: true))
  }

  /// Zombies, and those that are just going.
  private static let ended = Array("ZXx".utf8)

  /// Of `812 (postgres) S …`; the name may have parentheses and spaces in it.
  private static func nameAndState(_ text: [UInt8]) -> (String, UInt8)? {
    guard let begin = text.firstIndex(of: UInt8(ascii: "(")), let end = text.lastIndex(of: UInt8(ascii: ")")),
      begin < end, end + 2 < text.count
    else { return nil }
    return (String(decoding: text[(begin + 1)..<end], as: UTF8.self), text[end + 2])
  }
}
