package import HoldfastModel
package import HoldfastSystem

/// The result of an early look at a lease, some time before it is taken.
package struct LeaseLook: Sendable {
  let watch: LeaseWatch
  let finding: LeaseWatch.Finding

  /// - Parameters:
  ///   - watch: the watch that was kept over the lease.
  ///   - finding: its last finding.
  package init(watch: LeaseWatch, finding: LeaseWatch.Finding) { (self.watch, self.finding) = (watch, finding) }

  /// The number that may be tried; `nil` if somebody may hold the lease.
  var freeNumber: UInt64? {
    guard case .free(let number) = finding else { return nil }
    return number
  }
}

/// Watches the numbers of a lease for a run that wants it.
package struct LeaseWatch: Sendable {
  package enum Finding: Hashable, Sendable {
    /// This number may be tried.
    case free(UInt64)
    /// - Parameter isAlive: true if the holder has created a number since this watch began.
    case held(isAlive: Bool)
  }

  private let terms: LeaseTerms
  /// True if this run holds the store's lock. Then no other run that held it is alive.
  private let seesWhoIsGone: Bool
  /// True if a number that was given back keeps others out, too, and one that states a shorter time, and none at all:
  /// for as long as a lease lasts.
  private let listens: Bool
  private var seen: (number: UInt64, since: TimeSpan, term: TimeSpan)?
  /// The host that serves, as the newest number said at the last look.
  package private(set) var serving = RoleReading.none

  /// - Parameters:
  ///   - seesWhoIsGone: true if this run holds the store's lock.
  ///   - listens: true for a failover: who has given the lease back may take it again at the next moment. Then a number
  ///     is free when none has come for as long as a lease lasts.
  package init(terms: LeaseTerms, seesWhoIsGone: Bool, listens: Bool = false) {
    (self.terms, self.seesWhoIsGone, self.listens) = (terms, seesWhoIsGone, listens)
  }

  package mutating func look(at numbers: LeaseNumbers, clock: Clock) throws -> Finding {
    let present = try numbers.all()
    if present.isEmpty, !listens {
      serving = .none
      return .free(1)
    }
    let highest = present.last ?? 0
    if let seen, seen.number == highest {
      return clock.uptime() - seen.since >= seen.term ? .free(highest + 1) : .held(isAlive: false)
    }
    let record = try highest > 0 ? numbers.bytes(of: highest).flatMap { LeaseRecord(parsing: $0) } : nil
    serving = try record?.serving ?? numbers.serving(before: highest, in: present)
    guard let term = term(of: record) else { return .free(highest + 1) }
    let isAlive = seen != nil
    // The term counts from now on, although the number may be older.
    seen = (highest, clock.uptime(), term)
    return .held(isAlive: isAlive)
  }

  /// Returns the time for which the newest number keeps others out; `nil` if it does not.
  private func term(of record: LeaseRecord?) -> TimeSpan? {
    // A crash of the machine may leave an empty record. A run with the lock knows that the holder is gone.
    if seesWhoIsGone, record?.locked ?? true { return nil }
    guard let record else { return terms.duration }
    if listens { return max(record.term, terms.duration) }
    return record.isGivenBack ? nil : record.term
  }
}
