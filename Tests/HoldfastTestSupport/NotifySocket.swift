internal import Glibc
internal import HoldfastSystem
internal import Synchronization

/// The socket of a manager of services, as systemd has one for each service.
package final class NotifySocket {
  /// The messages that have arrived. A thread of its own takes them, because the kernel keeps only ten.
  private final class Inbox: Sendable {
    let messages = Mutex<[String]>([])
  }

  private let descriptor: Int32
  private let inbox: Inbox
  private let reader: WorkerThread?
  /// The value of `NOTIFY_SOCKET` for the service.
  package let name: String

  package struct Failure: Error {}

  /// - Parameter name: a path, or a name in the abstract namespace after `@`.
  package init(_ name: String) throws {
    self.name = name
    let opened = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(name.utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { path in
      path.copyBytes(from: bytes)
      if path[0] == UInt8(ascii: "@") { path[0] = 0 }
    }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
    let code = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(opened, $0, length) }
    }
    guard code == 0 else {
      close(opened)
      throw Failure()
    }
    let box = Inbox()
    (descriptor, inbox) = (opened, box)
    reader = WorkerThread.start {
      var block = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = recv(opened, &block, block.count, 0)
        guard count > 0 else { return }
        let message = String(decoding: block[..<count], as: UTF8.self)
        box.messages.withLock { $0.append(message) }
      }
    }
  }

  deinit {
    shutdown(descriptor, Int32(SHUT_RDWR))
    reader?.join()
    close(descriptor)
  }

  /// Returns the messages that have arrived since the last call.
  package func received() -> [String] {
    inbox.messages.withLock { messages in
      defer { messages = [] }
      return messages
    }
  }
}
