import HoldfastStore
import HoldfastSystem
import Synchronization

/// Another store with locks and leases that keep nobody out, as where a lock reaches only one machine and a holder was
/// stopped at the worst moment, and a hand that does something just before an object is committed.
final class HookedStore: Store {
  private let store: any Store
  private let hook = Mutex<(@Sendable (String) throws -> Void)?>(nil)

  init(_ store: any Store) { self.store = store }

  /// Called once, with the key of the first object that is committed from now on and fits.
  func beforeNext(_ part: String, _ action: @escaping @Sendable () throws -> Void) {
    hook.withLock { hook in
      hook = { [weak self] key in
        guard key.contains(part) else { return }
        self?.hook.withLock { $0 = nil }
        try action()
      }
    }
  }

  var location: String { store.location }
  func names(below prefix: String) throws -> [String] {
    prefix.hasPrefix(LeaseNumbers.prefix) ? [] : try store.names(below: prefix)
  }

  func open(_ key: String) throws -> any ReadableBytes { try store.open(key) }
  func settle(below prefix: String) throws { try store.settle(below: prefix) }
  func createBriefly(_ key: String, _ bytes: [UInt8]) {}
  func remove(_ key: String) throws { try store.remove(key) }
  func removeAll(below prefix: String) throws { try store.removeAll(below: prefix) }

  func create(_ key: String) throws -> any ObjectWriter {
    Writer(try store.create(key), key: key, store: self)
  }

  func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? { NoLock() }

  private final class NoLock: StoreLock {}

  private final class Writer: ObjectWriter {
    private let writer: any ObjectWriter
    private let key: String
    private let store: HookedStore

    init(_ writer: any ObjectWriter, key: String, store: HookedStore) {
      (self.writer, self.key, self.store) = (writer, key, store)
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws { try writer.append(bytes) }

    func commit() throws {
      try store.hook.withLock { $0 }?(key)
      try writer.commit()
    }

    func abort() { writer.abort() }
  }
}
