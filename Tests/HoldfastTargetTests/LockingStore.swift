import HoldfastModel
import HoldfastStore
import HoldfastSystem
import Synchronization

/// A store that is told what to lock, and may refuse to remove.
final class LockingStore: StoreLayer {
  struct Extension: Equatable {
    let keys: [String]
    let end: String
  }

  private struct State {
    var lock: ObjectLock?
    var extensions: [Extension] = []
    var replaced: [String] = []
    var failure: (any OperatorError)?
    var refusedUntil: Timestamp?
    var afterUpload: (part: String, action: @Sendable () -> Void)?
  }

  let base: any Store
  private let state: Mutex<State>

  init(_ base: any Store, _ lock: ObjectLock?) {
    self.base = base
    state = Mutex(State(lock: lock))
  }

  var capabilities: StoreCapabilities {
    var capabilities = base.capabilities
    capabilities.objectLock = state.withLock(\.lock)
    return capabilities
  }

  /// What it was told since it was asked last.
  func takeExtensions() -> [Extension] {
    state.withLock { state in
      defer { state.extensions = [] }
      return state.extensions
    }
  }

  func lock(_ lock: ObjectLock?) { state.withLock { $0.lock = lock } }

  /// What it answers to the next extensions.
  func answer(replaced: [String] = [], failure: (any OperatorError)? = nil) {
    state.withLock { ($0.replaced, $0.failure) = (replaced, failure) }
  }

  func refuseRemovals(until end: Timestamp?) { state.withLock { $0.refusedUntil = end } }

  /// Called when an object with such a key is begun.
  func afterUpload(of part: String, _ action: @escaping @Sendable () -> Void) {
    state.withLock { $0.afterUpload = (part, action) }
  }

  func extendLocks(of keys: [String], until end: Timestamp) throws -> [String] {
    try state.withLock { state in
      if let failure = state.failure { throw failure }
      state.extensions.append(Extension(keys: keys.sorted(), end: String(TimeText.utc(end).prefix(10))))
      return state.replaced
    }
  }

  func upload(_ key: String) throws -> any ObjectUpload {
    if let hook = state.withLock(\.afterUpload), key.contains(hook.part) {
      state.withLock { $0.afterUpload = nil }
      hook.action()
    }
    return try base.upload(key)
  }

  func remove(_ key: String) throws {
    try checkRemoval(of: key)
    try base.remove(key)
  }

  func removeAll(below prefix: String) throws {
    try checkRemoval(of: prefix)
    try base.removeAll(below: prefix)
  }

  private func checkRemoval(of key: String) throws {
    guard let end = state.withLock(\.refusedUntil), key.contains("/0000000001/") else { return }
    throw StoreError.removalRefused(key: key, location: location, lockedUntil: end)
  }
}
