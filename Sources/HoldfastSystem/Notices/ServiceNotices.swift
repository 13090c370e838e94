internal import Glibc
package import HoldfastModel

/// Tells the manager of services how this process stands: a datagram to the socket that it names (sd_notify(3)).
/// Nothing fails where nobody listens.
package struct ServiceNotices: Sendable {
  private let address: [UInt8]
  /// The time within which the manager wants a sign of life; `nil` if it wants none.
  package let watchdog: TimeSpan?

  /// - Parameters:
  ///   - socket: the value of `NOTIFY_SOCKET`: an absolute path, or a name in the abstract namespace after `@`.
  ///   - watchdogMicroseconds: the value of `WATCHDOG_USEC`.
  ///   - watchdogProcess: the value of `WATCHDOG_PID`: if it names another process, that one is meant.
  /// - Returns: `nil` if there is no manager, or its socket has a name of another kind.
  package init?(socket: String?, watchdogMicroseconds: String? = nil, watchdogProcess: String? = nil) {
    guard let socket, let first = socket.utf8.first, [UInt8(ascii: "/"), UInt8(ascii: "@")].contains(first),
      (2..<MemoryLayout.size(ofValue: sockaddr_un().sun_path)).contains(socket.utf8.count)
    else { return nil }
    address = Array(socket.utf8)
    let isMeant = watchdogProcess.map { $0 == String(getpid()) } ?? true
    watchdog = isMeant ? watchdogMicroseconds.flatMap { UInt64($0) }.map { .seconds(Double($0) / 1e6) } : nil
  }

  /// The service is ready, and now does this.
  package func ready(_ status: String) { send("READY=1\nSTATUS=\(Self.line(status))") }

  /// The service now does this.
  package func status(_ status: String) { send("STATUS=\(Self.line(status))") }

  /// The service is alive.
  package func alive() { send("WATCHDOG=1") }

  /// The service begins to end.
  package func stopping() { send("STOPPING=1") }

  private static func line(_ text: String) -> String { String(text.map { $0.isNewline ? " " : $0 }) }

  private func send(_ text: String) {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &name.sun_path) { path in
      path.copyBytes(from: address)
      // A name in the abstract namespace begins with a zero (unix(7)).
      if path[0] == UInt8(ascii: "@") { path[0] = 0 }
    }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + address.count)
    let bytes = Array(text.utf8)
    _ = withUnsafePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT), $0, length)
      }
    }
  }
}
