package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem
internal import Synchronization

/// A layer that lets requests fail temporarily, as networks do: some are refused before anything happened, of others
/// only the answer is lost. A seed decides which.
package final class FaultyStore: RequestLayer {
  package struct Faults: Sendable {
    /// The number of 100 requests that fail without effect.
    package var refused = 15
    /// The number of 100 requests that have their effect, and no answer.
    package var unanswered = 10
    /// The longest time that a request takes.
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

  /// The number of requests that have failed.
  package var failures: Int { failed.withLock { $0 } }

  package func request<Answer>(_ body: () throws -> Answer) throws -> Answer {
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

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    // An object of known length is opened without a request.
    let object = try length == nil ? request { try base.open(key, length: nil) } : base.open(key, length: length)
    return RequestedObject(object, self)
  }
}
