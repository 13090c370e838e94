import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// Whoever locks his databases delays a backup by a bounded time. Time passes only when a lock is tried: so many
/// milliseconds each time.
struct SQLiteAllowanceTests {
  private static let busy = SQLiteFailure(SystemError("lock", Path("orders.db"), code: 16))
  private static let ownerWait = 1000
  private static let step = 10

  private final class Time: Sendable {
    private let milliseconds = Mutex(0)
    func pass() { milliseconds.withLock { $0 += SQLiteAllowanceTests.step } }
    var now: Int { milliseconds.withLock { $0 } }
  }

  private let time = Time()

  private func allowance() -> SQLiteAllowance {
    let time = time
    return SQLiteAllowance(
      cancellation: Cancellation(), ownerWait: .milliseconds(Double(Self.ownerWait)),
      uptime: { .milliseconds(Double(time.now)) })
  }

  /// Locked for so many milliseconds, and free then.
  private func wait(_ allowance: SQLiteAllowance, _ milliseconds: Int, owner: UInt32 = 1) throws {
    let end = time.now + milliseconds
    try allowance.patiently(owner) { () throws(SQLiteFailure) in
      if time.now < end {
        time.pass()
        throw Self.busy
      }
    }
  }

  /// How long a lock is tried that never gets free.
  private func waited(_ allowance: SQLiteAllowance, owner: UInt32) -> Int {
    let begun = time.now
    #expect(throws: Self.busy) {
      try allowance.patiently(owner) { () throws(SQLiteFailure) in
        time.pass()
        throw Self.busy
      }
    }
    return time.now - begun
  }

  /// Locks that are let go just in time, again and again, would else delay it without end.
  @Test func waitsThatEndWellCountToo() throws {
    let allowance = allowance()
    try wait(allowance, 600)
    try wait(allowance, 380)
    let spent = waited(allowance, owner: 1)
    #expect(spent <= 60 + 2 * Self.step, "what is left is what a commit takes")
    #expect(spent > Self.step, "the owner's other databases are tried again nevertheless")
  }

  @Test func anOwnerIsWaitedForNoLongerThanAllowed() {
    let allowance = allowance()
    let spent = (0..<20).reduce(0) { sum, _ in sum + waited(allowance, owner: 1) }
    // Beyond it each of the twenty gets what a commit takes.
    #expect(spent >= Self.ownerWait && spent <= Self.ownerWait + 20 * (50 + 2 * Self.step), "\(spent) ms")
  }

  @Test func anOwnerSpendsNothingOfAnotherOnes() throws {
    let allowance = allowance()
    _ = waited(allowance, owner: 1)
    try wait(allowance, 200, owner: 2)
  }
}
