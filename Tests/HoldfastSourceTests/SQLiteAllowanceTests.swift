import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Whoever locks his databases delays a backup by a bounded time.
struct SQLiteAllowanceTests {
  private static let busy = SQLiteFailure(SystemError("lock", Path("orders.db"), code: 16))

  /// Locked for so long, and free then.
  private func wait(_ allowance: SQLiteAllowance, _ time: Duration, owner: UInt32 = 1) throws {
    let end = ContinuousClock.now + time
    try allowance.patiently(owner) { () throws(SQLiteFailure) in
      if ContinuousClock.now < end { throw Self.busy }
    }
  }

  /// How often a lock is tried that never gets free.
  private func tries(_ allowance: SQLiteAllowance, owner: UInt32) -> Int {
    var count = 0
    #expect(throws: Self.busy) {
      try allowance.patiently(owner) { () throws(SQLiteFailure) in
        count += 1
        throw Self.busy
      }
    }
    return count
  }

  /// Locks that are let go just in time, again and again, would else delay it without end.
  @Test func waitsThatEndWellCountToo() throws {
    let allowance = SQLiteAllowance(cancellation: Cancellation(), ownerWait: .milliseconds(1000))
    try wait(allowance, .milliseconds(600))
    // On a busy machine this one may end otherwise, and counts as well.
    try? wait(allowance, .milliseconds(380))
    // A millisecond passes between two.
    let spent = tries(allowance, owner: 1)
    #expect(spent <= 60, "what is left is what a commit takes")
    #expect(spent > 1, "the owner's other databases are tried again nevertheless")
  }

  @Test func anOwnerSpendsNothingOfAnotherOnes() throws {
    let allowance = SQLiteAllowance(cancellation: Cancellation(), ownerWait: .milliseconds(1000))
    _ = tries(allowance, owner: 1)
    try wait(allowance, .milliseconds(200), owner: 2)
  }
}
