internal import Synchronization

/// The containers that are damaged where they are stored, and of which this run has read something with their own
/// parity. For all threads.
package final class ParityUses: Sendable {
  private let keys = Mutex<(all: Set<String>, untold: [String])>(([], []))

  func note(_ key: String) {
    keys.withLock { keys in
      if keys.all.insert(key).inserted { keys.untold.append(key) }
    }
  }

  /// The warning about such a container.
  package static func message(_ key: String) -> String { "\(key) is damaged, and its parity gives back what is lost" }

  /// Returns the keys that no earlier call has returned.
  package func takeUntold() -> [String] {
    keys.withLock { keys in
      defer { keys.untold = [] }
      return keys.untold.sorted()
    }
  }
}
