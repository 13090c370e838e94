package import HoldfastSystem

/// Watches the numbers of a lease that somebody wants.
package struct LeaseWatch {
  package enum Finding: Hashable {
    /// This number may be asked for.
    case free(UInt64)
    /// - Parameter isAlive: whether its holder has gone on since it was first seen.
    case held(isAlive: Bool)
  }

  private let terms: LeaseTerms
  /// Whether this one holds the store's lock: then no other that held it is alive.
  private let seesWhoIsGone: Bool
  private var seen: (number: UInt64, since: Double, seconds: Double)?

  package init(terms: LeaseTerms, seesWhoIsGone: Bool) { (self.terms, self.seesWhoIsGone) = (terms, seesWhoIsGone) }

  package mutating func look(at numbers: LeaseNumbers, clock: Clock) throws -> Finding {
    guard let highest = try numbers.all().last else { return .free(1) }
    if let seen, seen.number == highest {
      return clock.uptime() - seen.since >= seen.seconds ? .free(highest + 1) : .held(isAlive: false)
    }
    guard let seconds = try seconds(of: highest, numbers) else { return .free(highest + 1) }
    let isAlive = seen != nil
    // Counted from now on, when the number has been there for some time already.
    seen = (highest, clock.uptime(), seconds)
    return .held(isAlive: isAlive)
  }

  /// For how long a number keeps others out; `nil` where it keeps nobody out.
  private func seconds(of number: UInt64, _ numbers: LeaseNumbers) throws -> Double? {
    let record = try numbers.bytes(of: number).flatMap { LeaseRecord(parsing: $0) }
    // A crash of the machine may leave one without bytes: whoever holds the lock knows that nobody is behind it.
    if seesWhoIsGone, record?.locked ?? true { return nil }
    guard let record else { return terms.duration }
    return record.isGivenBack ? nil : record.seconds
  }
}
