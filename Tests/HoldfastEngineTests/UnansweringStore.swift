import HoldfastModel
import HoldfastStore
import HoldfastSystem
import Synchronization

/// Another store, of which chosen calls fail: they are counted, so that a test can let each of them fail once.
final class UnansweringStore: Store {
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

  private let store: any Store
  private let plan = Mutex(Plan())

  init(_ store: any Store) { self.store = store }

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

  var location: String { store.location }
  func names(below prefix: String) throws -> [String] { try call { try store.names(below: prefix) } }
  func settle(below prefix: String) throws { try call { try store.settle(below: prefix) } }
  func remove(_ key: String) throws { try call { try store.remove(key) } }
  func removeAll(below prefix: String) throws { try call { try store.removeAll(below: prefix) } }

  func open(_ key: String) throws -> any ReadableBytes {
    Reader(bytes: try call { try store.open(key) }, store: self)
  }

  func create(_ key: String) throws -> any ObjectWriter {
    Writer(writer: try call { try store.create(key) }, store: self)
  }

  func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? {
    try store.lock(name, wait: wait, cancellation: cancellation)
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

  private final class Writer: ObjectWriter {
    private let writer: any ObjectWriter
    private let store: UnansweringStore

    init(writer: any ObjectWriter, store: UnansweringStore) { (self.writer, self.store) = (writer, store) }

    func append(_ bytes: UnsafeRawBufferPointer) throws { try store.call { try writer.append(bytes) } }
    func commit() throws { try store.call { try writer.commit() } }
    func abort() { writer.abort() }
  }
}
