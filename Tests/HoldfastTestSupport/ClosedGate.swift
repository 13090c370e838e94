internal import Glibc
package import HoldfastModel

/// Something that a command waits for, without asking again and again: each time costs a process.
package final class ClosedGate {
  private let descriptor: Int32
  /// The shell command that returns when the gate is open, or when the test has ended.
  package let wait: String

  /// Makes a gate that is closed, in an existing directory.
  package init(in directory: Path) {
    let file = directory.appending("gate")
    descriptor = file.withCString { Glibc.open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o666) }
    guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else { fatalError("cannot lock \(file): errno \(errno)") }
    wait = "flock --shared \(file) true"
  }

  deinit { close(descriptor) }

  package func open() { flock(descriptor, LOCK_UN) }
}
