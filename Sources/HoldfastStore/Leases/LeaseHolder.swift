internal import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// One holder of a lease, from its first number to its last: asks for the next number in time, and says whether it may
/// still commit. For several threads.
///
/// It counts from before it asked for a number, and whoever waits from when it saw the number, so nobody else can have
/// taken the next one while it counts itself as
/// the holder. Late or not, the next number is created once: who has it was not overtaken.
package final class LeaseHolder: Sendable {
  private struct Term {
    /// 0: none yet.
    var number: UInt64 = 0
    /// When the number was asked for, by this machine's uptime in seconds.
    var asked = 0.0
    /// What was asked for, without an answer, and when that was first.
    var pending: (number: UInt64, since: Double)?
    var isLost = false
  }

  /// So many stay: whoever comes late must find a higher one than its own.
  private static let keptCount: UInt64 = 2
  private static let attemptsMax = 3

  private let numbers: LeaseNumbers
  private let record: LeaseRecord
  private let clock: Clock
  private let terms: LeaseTerms
  private let term = Mutex(Term())
  /// Held while a number is asked for.
  private let turn = Mutex(())

  package init(_ numbers: LeaseNumbers, _ record: LeaseRecord, clock: Clock, terms: LeaseTerms) {
    (self.numbers, self.record, self.clock, self.terms) = (numbers, record, clock, terms)
  }

  private var name: String { numbers.name }
  private var location: String { numbers.store.location }

  /// The number that was had last: what is committed bears it.
  package var number: UInt64 { term.withLock(\.number) }

  private var isTrusted: Bool { term.withLock { $0.number > 0 && clock.uptime() < $0.asked + terms.trusted } }

  // MARK: Numbers

  /// Asks for a number.
  /// - Parameter number: behind the highest that there is.
  /// - Returns: whether it is this holder's, and the highest.
  package func ask(for number: UInt64) throws -> Bool {
    guard number <= LeaseNumbers.numberMax else { throw LeaseError.noNumberLeft(name: name, location: location) }
    let since = term.withLock { term in
      let since = term.pending.flatMap { $0.number == number ? $0.since : nil } ?? clock.uptime()
      term.pending = (number, since)
      return since
    }
    let bytes = try record.serialized()
    do {
      try numbers.create(number, bytes)
    } catch StoreError.alreadyExists {
      // What is asked for again after a lost answer may be there already.
      guard try numbers.bytes(of: number) == bytes else { return false }
    }
    // Whoever was stopped for long may have created a number that others had used and removed.
    let present = try numbers.all()
    guard present.allSatisfy({ $0 <= number }) else { return false }
    term.withLock { ($0.number, $0.asked, $0.pending) = (number, since, nil) }
    numbers.remove(present.filter { $0 + Self.keptCount <= number })
    return true
  }

  /// Asks for the next number where it is time to.
  /// - Returns: `false` when there is nothing to renew any more.
  package func renewInTime() -> Bool {
    let isDue = term.withLock { !$0.isLost && clock.uptime() >= $0.asked + terms.renewal }
    // Without an answer it is tried again.
    if isDue { try? renew() }
    return term.withLock { !$0.isLost }
  }

  private func renew() throws {
    try turn.withLock { _ in
      // What was asked for long ago, and is told only now, may count no more.
      guard !term.withLock(\.isLost) else { return }
      for _ in 0..<Self.attemptsMax {
        let number = term.withLock(\.number)
        guard try ask(for: number + 1) else { return term.withLock { $0.isLost = true } }
        if isTrusted { return }
      }
    }
  }

  // MARK: What rests on it

  /// - Throws: `LeaseError` where another has it, or may have it.
  package func checkHeld() throws {
    do {
      // A machine that stood still, its clock with it, sees by the numbers whether it was overtaken.
      if try !isTrusted || isHigherThere() { try renew() }
    } catch let error as any OperatorError where !(error is Interrupted) {
      throw LeaseError.notRenewed(name: name, location: location, reason: error.message)
    }
    guard !term.withLock(\.isLost) else { throw LeaseError.taken(name: name, location: location) }
    guard isTrusted else {
      throw LeaseError.notRenewed(name: name, location: location, reason: "the store takes too long to answer")
    }
  }

  private func isHigherThere() throws -> Bool {
    try turn.withLock { _ in
      let number = term.withLock(\.number)
      return try numbers.all().contains { $0 > number }
    }
  }

  /// Lets the next one begin at once.
  package func giveBack() {
    turn.withLock { _ in
      let number = term.withLock { $0.isLost ? 0 : $0.number }
      guard number > 0, number < LeaseNumbers.numberMax else { return }
      var end = record
      end.seconds = 0
      guard let bytes = try? end.serialized() else { return }
      try? numbers.create(number + 1, bytes)
      term.withLock { $0.isLost = true }
    }
  }
}
