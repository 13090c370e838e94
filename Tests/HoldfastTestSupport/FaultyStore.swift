package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem
internal import Synchronization

/// A layer that lets requests fail for now, as networks do: some are refused before anything happened, of others only
/// the answer is lost. Which ones, a seed says.
package final class FaultyStore: StoreLayer {
  package struct Faults: Sendable {
    /// Of 100 requests, how many fail without effect.
    package var refused = 15
    /// Of 100 requests, how many have their effect, and no answer.
    package var unanswered = 10
    /// The time that each request takes at most.
    package var delay = TimeSpan.zero

    package init() {}
  }

  package let base: any Store
  private let faults: Faults
  private let random: Mutex<SeededRandom>
  private let failed = Mutex(0)

  package init(_ base: any Store, _ faults: Faults = Faults(), seed: UInt64) {
    self.base = base
    self.faults = faults
    random = Mutex(SeededRandom(seed: seed))
  }

  /// How many requests have failed.
  package var failures: Int { failed.withLock { $0 } }

  fileprivate func request<Answer>(_ body: () throws -> Answer) throws -> Answer {
    let (lot, share) = random.withLock { (Int.random(in: 0..<100, using: &$0), Double.random(in: 0...1, using: &$0)) }
    if faults.delay > .zero { Pause.time(faults.delay * share) }
    if lot < faults.refused { throw failure("refused") }
    let answer = try body()
    if lot < faults.refused + faults.unanswered { throw failure("no answer") }
    return answer
  }

  private func failure(_ reason: String) -> StoreError {
    failed.withLock { $0 += 1 }
    return .unavailable(location: location, reason: reason)
  }

  package func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    try request { try base.list(prefix, depth, after: name, max: max) }
  }

  package func find(_ keys: [String]) throws -> [ListingEntry.Kind?] { try request { try base.find(keys) } }

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    // Of what is known nothing is asked.
    let object = try length == nil ? request { try base.open(key, length: nil) } : base.open(key, length: length)
    return FaultyObject(base: object, store: self)
  }

  package func upload(_ key: String) throws -> any ObjectUpload {
    FaultyUpload(try request { try base.upload(key) }, self)
  }

  package func settle(below prefix: String) throws { try request { try base.settle(below: prefix) } }
  package func remove(_ key: String) throws { try request { try base.remove(key) } }
  package func createBriefly(_ key: String, _ bytes: [UInt8]) throws {
    try request { try base.createBriefly(key, bytes) }
  }
  package func removeBriefly(_ keys: [String]) throws { try request { try base.removeBriefly(keys) } }
  package func removeAll(below prefix: String) throws { try request { try base.removeAll(below: prefix) } }

  package func removeUnfinished(below prefix: String) throws {
    try request { try base.removeUnfinished(below: prefix) }
  }
}

private struct FaultyObject: ReadableBytes {
  let base: any ReadableBytes
  let store: FaultyStore

  var length: UInt64 { base.length }
  var name: String { base.name }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try store.request { try base.read(into: buffer, at: offset) }
  }
}

private final class FaultyUpload: ObjectUpload {
  private let base: any ObjectUpload
  private let store: FaultyStore

  init(_ base: any ObjectUpload, _ store: FaultyStore) { (self.base, self.store) = (base, store) }

  var partBytes: Int? { base.partBytes }
  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
    try store.request { try base.send(bytes, at: offset) }
  }
  func commit() throws { try store.request { try base.commit() } }
  func abort() { base.abort() }
}
