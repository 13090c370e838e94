internal import Glibc
package import HoldfastModel

/// The end of a command of the site that has a time limit.
package struct CommandEnd: Hashable, Sendable {
  package enum Way: Hashable, Sendable {
    case exited(Int32)
    case signaled(Int32)
    /// It took longer than this, and was ended.
    case overdue(TimeSpan)
    /// It has ended, and the system does not tell how.
    case untold
  }

  package let way: Way
  /// The last lines that it printed.
  package let lastLines: [String]

  package init(way: Way, lastLines: [String]) { (self.way, self.lastLines) = (way, lastLines) }

  package var isSuccess: Bool { way == .exited(0) }

  /// The end in words, with what the command said last.
  package var text: String {
    let words =
      switch way {
      case .exited(let code): "it ended with exit status \(code)"
      case .signaled(let signal): "it ended with signal \(signal)"
      case .overdue(let limit): "it took longer than \(limit), and was ended"
      case .untold: "it ended, and the system does not tell how"
      }
    return lastLines.isEmpty ? words : "\(words); it said: \(lastLines.joined(separator: " / "))"
  }
}

extension ScratchFile {
  private static let tailBytes: UInt64 = 2000
  private static let linesMax = 3

  /// Returns the last lines that a command has written to it, without what a terminal would act on.
  func lastLines() throws -> [String] {
    let size = try file.status().size
    var bytes = [UInt8](repeating: 0, count: Int(min(size, Self.tailBytes)))
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: size - UInt64($0.count)) }
    let lines = bytes.prefix(count).split(separator: UInt8(ascii: "\n"))
    return lines.suffix(Self.linesMax).map { Path(bytes: Array($0)).description }
  }
}
