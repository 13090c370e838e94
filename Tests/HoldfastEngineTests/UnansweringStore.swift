import HoldfastModel
import HoldfastStore
import HoldfastSystem
import Synchronization

/// Another store, of which chosen calls fail: they are counted, so that a test can let each of them fail once.
final class UnansweringStore: StoreLayer {
  enum Failure: Hashable, CaseIterable {
    /// One call gets no answer, and nothing is done.
    case once
    /// From one call on nothing is answered.
    case fromThenOn
    /// One call is done, and its answer is lost.
    case lostAnswer
  }

  private struct Plan {
    var count = 0
    var failing: Int?
    var failure = Failure.once
    var error: any OperatorError = StoreError.unavailable(location: "memory", reason: "it timed out")
  }

  let base: any Store
  private let plan = Mutex(Plan())

  init(_ store: any Store) { base = store }

  /// How many calls there were since this was last said.
  var count: Int { plan.withLock(\.count) }

  /// - Parameter number: which of the following calls fails, from 1; `nil`: none.
  func fail(at number: Int?, _ failure: Failure = .once, with error: (any OperatorError)? = nil) {
    plan.withLock {
      $0 = Plan(failing: number, failure: failure)
      if let error { $0.error = error }
    }
  }

  private func call<Value>(_ body: () throws -> Value) throws -> Value {
    let (error, isDone) = plan.withLock { plan -> ((any OperatorError)?, Bool) in
      plan.count += 1
      guard let failing = plan.failing else { return (nil, true) }
      let fails = plan.failure == .fromThenOn ? plan.count >= failing : plan.count == failing
      return (fails ? plan.error : nil, !fails || plan.failure == .lostAnswer)
    }
    let value = try isDone ? body() : nil
    if let error { throw error }
    guard let value else { throw StoreError.unavailable(location: location, reason: "no answer") }
    return value
  }

  func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    try call { try base.list(prefix, depth, after: name, max: max) }
  }

  func find(_ keys: [String]) throws -> [ListingEntry.Kind?] { try call { try base.find(keys) } }
  func settle(below prefix: String) throws { try call { try base.settle(below: prefix) } }
  func remove(_ key: String) throws { try call { try base.remove(key) } }
  func removeAll(below prefix: String) throws { try call { try base.removeAll(below: prefix) } }

  func createBriefly(_ key: String, _ bytes: [UInt8]) throws { try call { try base.createBriefly(key, bytes) } }
  func removeBriefly(_ keys: [String]) throws { try call { try base.removeBriefly(keys) } }

  func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    Reader(bytes: try call { try base.open(key, length: length) }, store: self)
  }

  func upload(_ key: String) throws -> any ObjectUpload {
    Upload(base: try call { try base.upload(key) }, store: self)
  }

  private struct Reader: ReadableBytes {
    let bytes: any ReadableBytes
    let store: UnansweringStore
    var name: String { bytes.name }
    var length: UInt64 { bytes.length }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
      try store.call { try bytes.read(into: buffer, at: offset) }
    }
  }

  private final class Upload: ObjectUpload {
    private let base: any ObjectUpload
    private let store: UnansweringStore

    init(base: any ObjectUpload, store: UnansweringStore) { (self.base, self.store) = (base, store) }

    var partBytes: Int? { base.partBytes }
    func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
      try store.call { try base.send(bytes, at: offset) }
    }
    func commit() throws { try store.call { try base.commit() } }
    func abort() { base.abort() }
  }
}
