package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// One holder of a lease, from its first number to its last. It creates the next number in time, and says if it may
/// still commit. Several threads may use it.
///
/// The holder counts from before it creates a number, a waiting run from when it sees the number. So nobody else can
/// have taken the next number while the holder trusts its own. A holder that is late but still gets the next number was
/// not overtaken, because a number is created only once.
package final class LeaseHolder: Sendable {
  private struct Term {
    /// The newest number; 0 before the first.
    var number: UInt64 = 0
    /// The time at which the holder began to create the number, by this machine's uptime.
    var asked = TimeSpan.zero
    /// A number whose creation got no answer, the time at which it was first tried, and its content. It is tried
    /// again with the same content, by which the holder knows it as its own.
    var pending: (number: UInt64, since: TimeSpan, record: LeaseRecord)?
    var isLost = false
    /// The host that serves, as every number repeats it.
    var serving = RoleReading.none
    /// The configured name of this host; `nil` before it was asked for.
    var maker: HostName??
    /// Older numbers that nobody needs any more.
    var old: [UInt64] = []
    var isRemovalRefused = false
    /// The time, by both clocks, at which the last look began that showed no other holder.
    var seen: (uptime: TimeSpan, now: Timestamp)?
  }

  /// The count of newest numbers that are kept. A run that was stopped for long must find one that is higher than its
  /// own.
  private static let keptCount: UInt64 = 2
  private static let attemptsMax = 3

  private let numbers: LeaseNumbers
  private let record: LeaseRecord
  private let clock: Clock
  private let terms: LeaseTerms
  private let content: @Sendable () -> LeaseBeat?
  private let observers: [any HeartbeatObserver]
  private let maker: @Sendable () -> HostName?
  private let term = Mutex(Term())
  /// Locked while a number is created.
  private let turn = Mutex(())

  /// - Parameters:
  ///   - content: returns what the next number says of the holder's work.
  ///   - observers: learn what becomes of the lease.
  ///   - maker: returns the configured name of this host.
  package init(
    _ numbers: LeaseNumbers, _ record: LeaseRecord, clock: Clock, terms: LeaseTerms,
    content: @escaping @Sendable () -> LeaseBeat? = { nil }, observers: [any HeartbeatObserver] = [],
    maker: @escaping @Sendable () -> HostName? = { nil }
  ) {
    (self.numbers, self.record, self.clock, self.terms) = (numbers, record, clock, terms)
    (self.content, self.observers, self.maker) = (content, observers, maker)
  }

  private var name: String { numbers.name }
  var location: String { numbers.store.location }

  /// The newest number that this holder got. It is stored in what is committed.
  package var number: UInt64 { term.withLock(\.number) }

  /// The host that serves, as its numbers say.
  package var serving: RoleReading { term.withLock(\.serving) }

  /// Sets the role that the numbers repeat: that of the newest number before this holder had any.
  func begins(_ serving: RoleReading) { term.withLock { $0.serving = serving } }

  private func ownName() -> HostName? {
    if let known = term.withLock(\.maker) { return known }
    let name = maker()
    term.withLock { $0.maker = .some(name) }
    return name
  }

  /// True if older numbers may not be removed, so that each number costs more than the one before.
  package var isRemovalRefused: Bool { term.withLock(\.isRemovalRefused) }

  private var isTrusted: Bool { term.withLock { $0.number > 0 && clock.uptime() < $0.asked + terms.trusted } }

  // MARK: Numbers

  /// Tries to create a number.
  /// - Parameters:
  ///   - number: a number after the highest one that exists.
  ///   - role: the role that it states; `nil` to repeat that of the number before.
  ///   - onCreation: called when it was created, before it is known to be the highest.
  /// - Returns: true if this holder created it, and it is the highest.
  package func ask(
    for number: UInt64, serving role: RoleReading? = nil, onCreation: () -> Void = {}
  ) throws -> Bool {
    guard number <= LeaseNumbers.numberMax else { throw LeaseError.noNumberLeft(name: name, location: location) }
    var next = record
    next.beat = content()
    next.serving = role ?? serving
    if next.serving != .none { next.maker = ownName() }
    guard next.serving != .unclear else { throw LeaseError.roleUnclear(name: name, location: location) }
    let (since, record) = term.withLock { [next] term in
      let known = term.pending.flatMap { $0.number == number ? (since: $0.since, record: $0.record) : nil }
      let asked = known ?? (since: clock.uptime(), record: next)
      term.pending = (number, asked.since, asked.record)
      return asked
    }
    let bytes = try record.serialized()
    do {
      try numbers.create(number, bytes)
    } catch StoreError.alreadyExists {
      // After a lost answer the number may already exist with this content.
      guard try numbers.bytes(of: number) == bytes else { return false }
    }
    onCreation()
    let moment = (uptime: clock.uptime(), now: clock.now())
    // A run that was stopped for long may create a number that others used and removed.
    let present = try numbers.all()
    guard present.allSatisfy({ $0 <= number }) else { return false }
    term.withLock { term in
      (term.number, term.asked, term.pending, term.seen) = (number, since, nil, moment)
      term.serving = record.serving
      let old = present.filter { $0 + Self.keptCount <= number }
      // Where nothing may be removed, one is enough to see if that is still so.
      term.old = term.isRemovalRefused ? Array(old.suffix(1)) : old
    }
    let beat = Heartbeat(number: number, asked: since, duration: terms.duration, content: record.beat)
    for observer in observers { observer.beat(beat) }
    return true
  }

  /// Removes older numbers. It is called apart from `ask`, so that no commit waits for it.
  private func removeOld() {
    let old = term.withLock { term in
      defer { term.old = [] }
      return term.old
    }
    guard !old.isEmpty else { return }
    let isRemoved = numbers.remove(old)
    term.withLock { $0.isRemovalRefused = !isRemoved }
  }

  /// Creates the next number if it is time to.
  /// - Returns: false if there is nothing to renew any more.
  package func renewInTime() -> Bool {
    let isDue = term.withLock { !$0.isLost && clock.uptime() >= $0.asked + terms.renewal }
    do {
      if isDue { try renew() }
    } catch {
      // The next call tries again.
      let known = describe(error)
      for observer in observers { observer.late(known) }
    }
    removeOld()
    return term.withLock { !$0.isLost }
  }

  private func renew() throws {
    try turn.withLock { _ in
      // The holder may have lost the lease long ago.
      guard !term.withLock(\.isLost) else { return }
      for _ in 0..<Self.attemptsMax {
        let number = term.withLock(\.number)
        guard try ask(for: number + 1) else { return lose() }
        if isTrusted { return }
      }
    }
  }

  private func lose() {
    term.withLock { $0.isLost = true }
    for observer in observers { observer.lost(LeaseError.taken(name: name, location: location)) }
  }

  /// Creates the next number with another role.
  /// - Parameters:
  ///   - floor: the number is higher than this one, too.
  ///   - role: returns the role for a number.
  /// - Returns: the role that holds now.
  /// - Throws: `LeaseError` if the lease is lost. After any other error, it is not known if the role has changed: the
  ///   next number, and another call, tell.
  func announce(above floor: UInt64, _ role: (UInt64) -> ServingRole) throws -> ServingRole {
    try checkHeld()
    return try turn.withLock { _ in
      for _ in 0..<Self.attemptsMax {
        let (current, asked, pending) = term.withLock { ($0.number, $0.asked, $0.pending) }
        let number = max(current, floor).addingReportingOverflow(1)
        guard !number.overflow else { throw LeaseError.noNumberLeft(name: name, location: location) }
        let wanted = role(number.partialValue)
        // A number whose creation got no answer is settled first: it may be there, with the role of before.
        if let pending, pending.number != number.partialValue || pending.record.serving.role != wanted {
          guard try ask(for: pending.number) else { return try overtaken() }
          continue
        }
        guard try ask(for: number.partialValue, serving: .known(wanted)) else { return try overtaken() }
        // Whoever waits creates the number after the last one. If some are left out, only time keeps that apart.
        if number.partialValue > current + 1, clock.uptime() >= asked + terms.trusted { return try overtaken() }
        return wanted
      }
      throw LeaseError.notRenewed(name: name, location: location, reason: "the store gives no answer")
    }
  }

  private func overtaken() throws -> ServingRole {
    lose()
    throw LeaseError.taken(name: name, location: location)
  }

  // MARK: Checks before a commit

  /// Makes sure that no other run can hold the lease.
  /// - Throws: `LeaseError` if another run holds the lease, or may hold it.
  package func checkHeld() throws {
    do {
      // If the machine was suspended, so was its clock: only the numbers show whether the holder was overtaken.
      if try !isTrusted || isHigherThere() { try renew() }
    } catch let error as any OperatorError where !(error is Interrupted) {
      throw LeaseError.notRenewed(name: name, location: location, reason: error.message)
    }
    guard !term.withLock(\.isLost) else { throw LeaseError.taken(name: name, location: location) }
    guard isTrusted else {
      throw LeaseError.notRenewed(name: name, location: location, reason: "the store takes too long to answer")
    }
  }

  /// Makes sure of it again, shortly after `checkHeld`. It lists the numbers only if either clock says that time was
  /// lost since: then others may have used it.
  /// - Throws: like `checkHeld`.
  package func confirmHeld() throws {
    if !wasJustHeld { try checkHeld() }
  }

  /// True if the lease is trusted, and was checked so recently by both clocks that nobody else can have held it since.
  package var wasJustHeld: Bool {
    let isRecent = term.withLock { term in
      guard let seen = term.seen, !term.isLost else { return false }
      let recent = TimeSpan.zero..<terms.recent
      return recent.contains(clock.uptime() - seen.uptime) && recent.contains(clock.now() - seen.now)
    }
    return isRecent && isTrusted
  }

  private func isHigherThere() throws -> Bool {
    try turn.withLock { _ in
      let number = term.withLock(\.number)
      let moment = (uptime: clock.uptime(), now: clock.now())
      let isHigher = try numbers.all().contains { $0 > number }
      term.withLock { $0.seen = isHigher ? nil : moment }
      return isHigher
    }
  }

  /// Gives the lease back. The next holder can begin at once.
  package func giveBack() {
    turn.withLock { _ in
      let number = term.withLock { $0.isLost ? 0 : $0.number }
      guard number > 0, number < LeaseNumbers.numberMax else { return }
      var end = record
      (end.term, end.serving) = (.zero, serving)
      if end.serving != .none { end.maker = ownName() }
      guard let bytes = try? end.serialized() else { return }
      try? numbers.create(number + 1, bytes)
      let old = term.withLock { term in
        term.isLost = true
        return term.old
      }
      numbers.remove(old + (number > 1 ? [number - 1] : []))
    }
  }
}
