internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// The promises about locks: who is excluded, and for how long.
extension StoreConformance {
  func checkLock(_ store: any Store) throws {
    guard store.capabilities.locks else { return try checkThatItLacksLocks(store) }
    let cancellation = Cancellation()
    do {
      let lock = try store.lock("shop", wait: false, cancellation: cancellation)
      defer { withExtendedLifetime(lock) {} }
      try expect(lock != nil, "a free lock was refused")
      try expect(try store.lock("shop", wait: false, cancellation: cancellation) == nil, "it was given twice")
      try expect(try store.lock("other", wait: false, cancellation: cancellation) != nil, "another one was held too")
    }
    try expect(try store.lock("shop", wait: false, cancellation: cancellation) != nil, "it was not freed")
  }

  /// A store without locks refuses nobody and waits for nobody: only leases exclude others there.
  private func checkThatItLacksLocks(_ store: any Store) throws {
    let locks = try (1...2).map { _ in try store.lock("shop", wait: true, cancellation: Cancellation()) }
    try expect(locks.allSatisfy { $0 != nil }, "a lock was refused, though it has none")
    try expect(try store.hold("shop", exclusively: true, cancellation: Cancellation()) == nil, "it says who adds")
  }

  func checkWait(_ store: any Store) throws {
    guard store.capabilities.locks else { return try checkThatItLacksLocks(store) }
    let held = Mutex(try store.lock("shop", wait: false, cancellation: Cancellation()))
    let isFreed = Atomic(false)
    let holder = WorkerThread.start {
      Pause.briefly()
      isFreed.store(true, ordering: .sequentiallyConsistent)
      held.withLock { $0 = nil }
    }
    let lock = try store.lock("shop", wait: true, cancellation: Cancellation())
    let wasFreed = isFreed.load(ordering: .sequentiallyConsistent)
    holder?.join()
    try expect(wasFreed, "it was given while another one held it")
    try expect(lock != nil, "the wait ended without it")
  }

  func checkInterruptedWait(_ store: any Store) throws {
    guard store.capabilities.locks else { return try checkThatItLacksLocks(store) }
    let lock = try store.lock("shop", wait: false, cancellation: Cancellation())
    defer { withExtendedLifetime(lock) {} }
    let cancellation = Cancellation()
    cancellation.raise()
    try expectAnyError("the wait did not end") {
      _ = try store.lock("shop", wait: true, cancellation: cancellation)
    }
  }
}
