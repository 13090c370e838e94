internal import Glibc
internal import HoldfastModel

/// A terminal with a test in the place of the user. It edits lines and shows what is typed, as terminals do.
package final class Pseudoterminal {
  private let master: Int32
  private let slave: Int32
  private var seen: [UInt8] = []
  /// The name by which a process opens it.
  package let name: String

  package init() {
    var (master, slave): (Int32, Int32) = (-1, -1)
    var path = [CChar](repeating: 0, count: 128)
    guard openpty(&master, &slave, &path, nil, nil) == 0 else { fatalError("cannot open a terminal: errno \(errno)") }
    for descriptor in [master, slave] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    (self.master, self.slave) = (master, slave)
    name = String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    close(master)
    close(slave)
  }

  /// Everything that was shown, including what was typed.
  package var shown: String {
    drain()
    return String(decoding: seen, as: UTF8.self)
  }

  /// True if typed text is shown.
  package var isEchoing: Bool {
    var settings = termios()
    return tcgetattr(slave, &settings) == 0 && settings.c_lflag & tcflag_t(ECHO) != 0
  }

  package func type(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }

  /// Waits until the terminal has shown a text `times` times.
  /// - Returns: `false` after a time in which it should have come.
  package func waits(for text: String, times: Int = 1) -> Bool {
    waits { shown.ranges(of: text).count >= times }
  }

  /// Waits until a condition holds.
  package func waits(until condition: () -> Bool) -> Bool {
    for _ in 0..<5000 {
      if condition() { return true }
      usleep(2000)
    }
    return false
  }

  private func drain() {
    var block = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(master, &block, block.count)
      guard count > 0 else { return }
      seen += block[..<count]
    }
  }
}
