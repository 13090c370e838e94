internal import HoldfastModel
package import HoldfastStore
package import HoldfastSystem
internal import Synchronization

/// A store in memory: the second implementation that keeps the contract honest, and a place where tests can damage objects.
package final class MemoryStore: Store {
  private let objects = Mutex<[String: [UInt8]]>([:])
  private let locked = Mutex<Set<String>>([])
  package let location = "memory"

  package init() {}

  /// All objects by key; damage them by setting them.
  package var contents: [String: [UInt8]] {
    get { objects.withLock { $0 } }
    set { objects.withLock { $0 = newValue } }
  }

  package func names(below prefix: String) throws -> [String] {
    let names = objects.withLock { $0.keys }.compactMap { key -> String? in
      guard key.hasPrefix(prefix) else { return nil }
      let rest = key.dropFirst(prefix.count)
      guard let slash = rest.firstIndex(of: "/") else { return String(rest) }
      return String(rest[...slash])
    }
    return Set(names).sorted()
  }

  package func open(_ key: String) throws -> any ReadableBytes {
    guard let bytes = objects.withLock({ $0[key] }) else { throw StoreError.notFound(key: key, location: location) }
    return MemoryBytes(bytes, name: key)
  }

  package func create(_ key: String) throws -> any ObjectWriter {
    guard !key.isEmpty, Path(key).isSoundEntryPath else { throw StoreError.invalidKey(key) }
    return Writer(key: key, store: self)
  }

  package func remove(_ key: String) throws {
    guard !key.isEmpty, Path(key).isSoundEntryPath else { throw StoreError.invalidKey(key) }
    objects.withLock { _ = $0.removeValue(forKey: key) }
  }

  package func removeAll(below prefix: String) throws {
    objects.withLock { objects in objects = objects.filter { !$0.key.hasPrefix(prefix) } }
  }

  package func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? {
    while !locked.withLock({ $0.insert(name).inserted }) {
      guard wait else { return nil }
      try cancellation.check()
      Pause.briefly()
    }
    return Lock(name: name, store: self)
  }

  private final class Lock: StoreLock {
    let name: String
    let store: MemoryStore
    init(name: String, store: MemoryStore) { (self.name, self.store) = (name, store) }
    deinit { _ = store.locked.withLock { $0.remove(name) } }
  }

  private final class Writer: ObjectWriter {
    private let key: String
    private let store: MemoryStore
    private var bytes: [UInt8] = []

    init(key: String, store: MemoryStore) { (self.key, self.store) = (key, store) }

    func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    func commit() throws {
      let isNew = store.objects.withLock { objects in
        guard objects[key] == nil else { return false }
        objects[key] = bytes
        return true
      }
      guard isNew else { throw StoreError.alreadyExists(key: key, location: store.location) }
    }

    func abort() { bytes = [] }
  }
}
