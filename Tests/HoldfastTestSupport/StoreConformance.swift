package import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// What every store promises (Store.swift), one promise a case. A store's tests run all of them:
///
///     @Test(arguments: StoreConformance.allCases) func keeps(_ promise: StoreConformance) throws {
///       try promise.check(TheStore(…))   // a new and empty one each time
///     }
package enum StoreConformance: String, CaseIterable, Sendable {
  case whatIsCommittedIsReadBack
  case anObjectAppearsOnlyWithItsCommit
  case anAbortedObjectNeverWas
  case aDroppedObjectNeverWas
  case anObjectIsNeverReplaced
  case twoWritersOfOneKeyGetOneObject
  case aMissingObjectIsNamed
  case namesAreInOrderAndShowFolders
  case unfinishedObjectsAreNotNamed
  case removeRemovesOneObject
  case removeAllRemovesEverythingBelow
  case removeAllRemovesWhatIsUnfinished
  case removingNothingIsNoError
  case keysThatLeadAwayAreRefused
  case readsAreWithinBounds
  case anEmptyObjectIsAnObject
  case aLockExcludesUntilItIsDropped
  case aWaitForALockEndsWhenItIsFreed
  case aWaitForALockEndsWithASignal

  /// A promise that was not kept.
  package struct Violation: Error, CustomStringConvertible {
    package let description: String
  }

  /// - Parameter store: new and empty.
  /// - Throws: `Violation`, or what the store threw where it should not.
  package func check(_ store: any Store) throws {
    switch self {
    case .whatIsCommittedIsReadBack: try checkRoundTrip(store)
    case .anObjectAppearsOnlyWithItsCommit: try checkAppearance(store)
    case .anAbortedObjectNeverWas: try checkAbort(store)
    case .aDroppedObjectNeverWas: try checkDrop(store)
    case .anObjectIsNeverReplaced: try checkNoReplacement(store)
    case .twoWritersOfOneKeyGetOneObject: try checkTwoWriters(store)
    case .aMissingObjectIsNamed: try checkMissing(store)
    case .namesAreInOrderAndShowFolders: try checkNames(store)
    case .unfinishedObjectsAreNotNamed: try checkUnfinished(store)
    case .removeRemovesOneObject: try checkRemovalOfOne(store)
    case .removeAllRemovesEverythingBelow: try checkRemoval(store)
    case .removeAllRemovesWhatIsUnfinished: try checkRemovalOfUnfinished(store)
    case .removingNothingIsNoError: try store.removeAll(below: "sources/shop/0000000001/")
    case .keysThatLeadAwayAreRefused: try checkKeys(store)
    case .readsAreWithinBounds: try checkBounds(store)
    case .anEmptyObjectIsAnObject: try checkEmpty(store)
    case .aLockExcludesUntilItIsDropped: try checkLock(store)
    case .aWaitForALockEndsWhenItIsFreed: try checkWait(store)
    case .aWaitForALockEndsWithASignal: try checkInterruptedWait(store)
    }
  }
}

// MARK: - Objects

extension StoreConformance {
  private func checkRoundTrip(_ store: any Store) throws {
    var random = SeededRandom(seed: 91)
    let bytes = random.bytes(300_000)
    let writer = try store.create("sources/shop/0000000001/archive-1")
    for start in stride(from: 0, to: bytes.count, by: 70_000) {
      try write(bytes[start..<min(start + 70_000, bytes.count)], to: writer)
    }
    try writer.commit()
    let object = try store.open("sources/shop/0000000001/archive-1")
    try expect(object.length == 300_000, "it has \(object.length) bytes")
    try expect(try read(object) == bytes, "other bytes came back")
    try expect(try read(object, at: 123_456, count: 1000) == Array(bytes[123_456..<124_456]), "a part is another one")
  }

  private func checkAppearance(_ store: any Store) throws {
    let writer = try store.create("a/b")
    try write([1, 2, 3], to: writer)
    try expectMissing("a/b", in: store)
    try expect(try store.names(below: "a/").isEmpty, "it is named before its commit")
    try writer.commit()
    try expect(try read(store.open("a/b")) == [1, 2, 3], "other bytes came back")
    try expect(try store.names(below: "a/") == ["b"], "it is not named after its commit")
  }

  private func checkAbort(_ store: any Store) throws {
    let writer = try store.create("a/b")
    try write([1], to: writer)
    writer.abort()
    writer.abort()
    try expectMissing("a/b", in: store)
    try expect(try store.names(below: "a/").isEmpty, "something is left")
    try put([2], at: "a/b", in: store)
    try expect(try read(store.open("a/b")) == [2], "the key is not free for another object")
  }

  private func checkDrop(_ store: any Store) throws {
    do {
      let writer = try store.create("a/b")
      try write([1], to: writer)
    }
    try expectMissing("a/b", in: store)
    try put([2], at: "a/b", in: store)
  }

  private func checkNoReplacement(_ store: any Store) throws {
    try put([1], at: "a/b", in: store)
    try expectThrows(StoreError.alreadyExists(key: "a/b", location: store.location)) {
      try put([2], at: "a/b", in: store)
    }
    try expect(try read(store.open("a/b")) == [1], "the first object is gone")
    try expect(try store.names(below: "a/") == ["b"], "something of the second is left")
  }

  private func checkTwoWriters(_ store: any Store) throws {
    let first = try store.create("a/b")
    let second = try store.create("a/b")
    try write([1], to: first)
    try write([2], to: second)
    try second.commit()
    try expectThrows(StoreError.alreadyExists(key: "a/b", location: store.location)) { try first.commit() }
    try expect(try read(store.open("a/b")) == [2], "the loser's bytes are there")
  }

  private func checkMissing(_ store: any Store) throws {
    try put([1], at: "a/b", in: store)
    for key in ["x", "a/x", "x/b", "a/b/x"] { try expectMissing(key, in: store) }
  }

  private func checkEmpty(_ store: any Store) throws {
    try put([], at: "a", in: store)
    try expect(try store.open("a").length == 0, "it is not empty")
    try expect(try store.names(below: "") == ["a"], "it is not named")
  }

  private func checkBounds(_ store: any Store) throws {
    try put([1, 2, 3], at: "a", in: store)
    let object = try store.open("a")
    try expect(try read(object, at: 3, count: 0) == [], "nothing, at the end, is something")
    for (offset, count) in [(0, 4), (3, 1), (2, 2), (1 << 40, 1)] as [(UInt64, Int)] {
      try expectAnyError("\(count) bytes at \(offset) of 3 were read") {
        _ = try read(object, at: offset, count: count)
      }
    }
  }

  private func checkKeys(_ store: any Store) throws {
    let keys = ["", ".", "..", "../x", "a/../x", "a/../../x", "/x", "/", "a//b", "a/", "a/./b", "a\0b"]
    for key in keys {
      try expectThrows(StoreError.invalidKey(key)) { _ = try store.create(key) }
      try expectAnyError("\"\(key)\" was opened") { _ = try store.open(key) }
    }
    try expect(try store.names(below: "").isEmpty, "something was made")
  }
}

// MARK: - Names and removal

extension StoreConformance {
  private func checkNames(_ store: any Store) throws {
    try expect(try store.names(below: "").isEmpty, "a new store is not empty")
    for key in ["b", "a/2", "a/10", "a/1/x", "a/1/y", "a.b", "a-b/c", "B"] { try put([0], at: key, in: store) }
    try expect(try store.names(below: "") == ["B", "a-b/", "a.b", "a/", "b"], "of all: \(try store.names(below: ""))")
    try expect(try store.names(below: "a/") == ["1/", "10", "2"], "below a/: \(try store.names(below: "a/"))")
    try expect(try store.names(below: "a/1/") == ["x", "y"], "below a/1/")
    try expect(try store.names(below: "nothing/") == [], "below what is not there")
    try expect(try store.names(below: "b/") == [], "below an object")
  }

  private func checkUnfinished(_ store: any Store) throws {
    try put([1], at: "a/finished", in: store)
    let writer = try store.create("a/unfinished")
    try write([1], to: writer)
    try expect(try store.names(below: "a/") == ["finished"], "\(try store.names(below: "a/"))")
    try writer.commit()
    try expect(try store.names(below: "a/") == ["finished", "unfinished"], "\(try store.names(below: "a/"))")
  }

  private func checkRemovalOfOne(_ store: any Store) throws {
    for key in ["a/1/x", "a/1/xy", "b"] { try put([0], at: key, in: store) }
    try store.remove("a/1/x")
    try store.remove("a/1/x")
    try store.remove("nothing/there")
    try expectMissing("a/1/x", in: store)
    try expect(try store.names(below: "a/1/") == ["xy"], "\(try store.names(below: "a/1/"))")
    try put([1], at: "a/1/x", in: store)
    try expectThrows(StoreError.invalidKey("../x")) { try store.remove("../x") }
  }

  private func checkRemoval(_ store: any Store) throws {
    for key in ["a/1/x", "a/1/y/z", "a/10/x", "a/2", "b"] { try put([0], at: key, in: store) }
    try store.removeAll(below: "a/1/")
    try expectMissing("a/1/x", in: store)
    try expectMissing("a/1/y/z", in: store)
    try expect(try store.names(below: "a/") == ["10/", "2"], "\(try store.names(below: "a/"))")
    try store.removeAll(below: "a/")
    try expect(try store.names(below: "") == ["b"], "\(try store.names(below: ""))")
  }

  private func checkRemovalOfUnfinished(_ store: any Store) throws {
    let writer = try store.create("a/1/x")
    try write([1], to: writer)
    try store.removeAll(below: "a/1/")
    try expect(try store.names(below: "a/").isEmpty, "\(try store.names(below: "a/"))")
    writer.abort()
    try expectMissing("a/1/x", in: store)
  }
}

// MARK: - Locks

extension StoreConformance {
  private func checkLock(_ store: any Store) throws {
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

  private func checkWait(_ store: any Store) throws {
    let held = Mutex(try store.lock("shop", wait: false, cancellation: Cancellation()))
    let isFreed = Atomic(false)
    let holder = WorkerThread.start {
      Pause.briefly()
      isFreed.store(true, ordering: .sequentiallyConsistent)
      held.withLock { $0 = nil }
    }
    let lock = try store.lock("shop", wait: true, cancellation: Cancellation())
    holder?.join()
    try expect(isFreed.load(ordering: .sequentiallyConsistent), "it was given while another one held it")
    try expect(lock != nil, "the wait ended without it")
  }

  private func checkInterruptedWait(_ store: any Store) throws {
    let lock = try store.lock("shop", wait: false, cancellation: Cancellation())
    defer { withExtendedLifetime(lock) {} }
    let cancellation = Cancellation()
    cancellation.raise()
    try expectAnyError("the wait did not end") {
      _ = try store.lock("shop", wait: true, cancellation: cancellation)
    }
  }
}

// MARK: - Helpers

extension StoreConformance {
  private func put(_ bytes: [UInt8], at key: String, in store: any Store) throws {
    let writer = try store.create(key)
    try write(bytes[...], to: writer)
    try writer.commit()
  }

  private func write(_ bytes: ArraySlice<UInt8>, to writer: any ObjectWriter) throws {
    try bytes.withUnsafeBytes { try writer.append($0) }
  }

  private func read(_ object: any ReadableBytes) throws -> [UInt8] {
    try read(object, at: 0, count: Int(object.length))
  }

  private func read(_ object: any ReadableBytes, at offset: UInt64, count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: offset) }
    return bytes
  }

  private func expect(_ condition: @autoclosure () throws -> Bool, _ finding: @autoclosure () throws -> String) throws {
    guard try condition() else { throw Violation(description: "\(rawValue): \(try finding())") }
  }

  private func expectMissing(_ key: String, in store: any Store) throws {
    try expectThrows(StoreError.notFound(key: key, location: store.location)) { _ = try store.open(key) }
  }

  private func expectThrows(_ expected: StoreError, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as StoreError {
      return try expect(error == expected, "it threw \"\(error)\" instead of \"\(expected)\"")
    }
    throw Violation(description: "\(rawValue): it did not throw \"\(expected)\"")
  }

  private func expectAnyError(_ finding: String, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch {
      return
    }
    throw Violation(description: "\(rawValue): \(finding)")
  }
}
