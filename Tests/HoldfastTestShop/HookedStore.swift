package import HoldfastStore
package import HoldfastSystem
internal import Synchronization

/// Another store with locks and leases that keep nobody out, as where a lock reaches only one machine and a holder was
/// stopped at the worst moment, and a hand that does something just before an object is committed.
package final class HookedStore: StoreLayer {
  package let base: any Store
  private let hasLeases: Bool
  private let hook = Mutex<(@Sendable (String) throws -> Void)?>(nil)

  /// - Parameter hasLeases: whether leases are those of the other store.
  package init(_ store: any Store, hasLeases: Bool = false) { (base, self.hasLeases) = (store, hasLeases) }

  /// Called once, with the key of the first object that is committed from now on and fits.
  package func beforeNext(_ part: String, _ action: @escaping @Sendable () throws -> Void) {
    hook.withLock { hook in
      hook = { [weak self] key in
        guard key.contains(part) else { return }
        self?.hook.withLock { $0 = nil }
        try action()
      }
    }
  }

  package func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    prefix.hasPrefix(LeaseNumbers.prefix) && !hasLeases ? .empty : try base.list(prefix, depth, after: name, max: max)
  }

  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
    if hasLeases { try base.createBriefly(key, bytes) }
  }

  package func upload(_ key: String) throws -> any ObjectUpload {
    Upload(try base.upload(key), key: key, store: self)
  }

  package func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? { NoLock() }

  package func hold(_ name: String, exclusively: Bool, cancellation: Cancellation) throws -> (any StoreLock)? { nil }

  private final class NoLock: StoreLock {}

  private final class Upload: ObjectUpload {
    private let base: any ObjectUpload
    private let key: String
    private let store: HookedStore

    init(_ base: any ObjectUpload, key: String, store: HookedStore) {
      (self.base, self.key, self.store) = (base, key, store)
    }

    var partBytes: Int? { base.partBytes }

    func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws { try base.send(bytes, at: offset) }

    func commit() throws {
      try store.hook.withLock { $0 }?(key)
      try base.commit()
    }

    func abort() { base.abort() }
  }
}
