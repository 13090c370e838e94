package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// The right to be the only run that adds to something, as long as the object lives. It works on every store that
/// creates an object under a key only once.
///
/// The holder creates numbers, `leases/NAME/NUMBER`, one after the other, each once. Another run that wants the lease
/// watches, by its own clock, for the time that the newest number states; if no new number appears, it creates the next
/// one itself. So no two clocks are compared. If the store has locks, the lease holds one too: it excludes others at
/// once, and ends with its process. The numbers then exclude those who reach the store in another way. Nothing stored
/// depends on a lease: the numbers of manifests, notes and the keyring are created once, too
/// (docs/decisions/0020-leases.md).
package final class Lease: Sendable {
  /// The wait for another holder after which `onWait` is called.
  private static let silenceMax = TimeSpan.seconds(5)

  /// The state of the lease, which other threads may ask. It does not keep the lease.
  package let holder: LeaseHolder
  private let lock: HeldLock
  private let errands: Errands?
  private let renewal: RepeatingThread?

  /// Lends the lease of another one.
  private init(lending holder: LeaseHolder) {
    (self.holder, errands, renewal) = (holder, nil, nil)
    lock = HeldLock(nil)
  }

  private init(_ holder: LeaseHolder, _ lock: any StoreLock, _ terms: LeaseTerms, _ errands: Errands?) {
    (self.holder, self.errands) = (holder, errands)
    self.lock = HeldLock(lock)
    renewal = RepeatingThread.start(every: terms.tick) { [holder] in holder.renewInTime() }
  }

  deinit { end() }

  /// Gives the lease back, also if another thread has not let go of it yet. A run calls it when it has ended, before
  /// it waits for its errands. Another call does nothing.
  package func end() {
    guard lock.beginsToEnd() else { return }
    renewal?.stop()
    guard let errands else {
      holder.giveBack()
      lock.release()
      return
    }
    errands.begin { [holder, lock] in
      holder.giveBack()
      lock.release()
    }
  }

  /// Returns this lease for one run under it. It is held as long as this one, and its end gives nothing back.
  package func lent() -> Lease { Lease(lending: holder) }

  /// The location of the store.
  package var location: String { holder.location }

  /// The fencing token: it is stored in what is committed under the lease, and grows with each holder.
  package var number: UInt64 { holder.number }

  /// The host that serves, as the numbers of this lease say.
  package var serving: RoleReading { holder.serving }

  /// Says in the next number that another host, or the same one anew, serves from now on.
  /// - Parameters:
  ///   - host: the host that serves.
  ///   - start: the snapshot with which it begins; `nil` if there is none.
  ///   - highest: the highest number of a snapshot of the source.
  ///   - floor: the number in which the role begins is higher than this one, too: that in which an earlier role began.
  ///   - isAwaited: true if the host does not serve yet (`ServingRole.isAwaited`).
  /// - Returns: the role, with the number in which it begins.
  /// - Throws: `LeaseError` if the lease is lost. After any other error it is not known if the number is there; another
  ///   call tells.
  package func announce(
    _ host: HostName, from start: ServingRole.Start?, highest: UInt64, above floor: UInt64 = 0, isAwaited: Bool = false
  ) throws -> ServingRole {
    try holder.announce(above: floor) {
      ServingRole(serving: host, since: $0, from: start, highest: highest, isAwaited: isAwaited)
    }
  }

  /// Says in the next number what an earlier one has said, which no number says any more; or that the host of a role
  /// begins to serve. The number is higher than that in which the role began.
  package func restore(_ role: ServingRole) throws {
    _ = try holder.announce(above: role.since) { _ in role }
  }

  /// Makes sure that no other run can hold the lease. Called just before something is committed or removed.
  /// - Throws: `LeaseError`, which is transient, if another run holds the lease, or may hold it.
  package func checkHeld() throws { try holder.checkHeld() }

  /// Does the same as `checkHeld`, shortly after it was called. It costs no request if no time was lost since.
  package func confirmHeld() throws { try holder.confirmHeld() }

  /// Does work that ends with a commit. If the work fails after another run has taken over, that is the error: the
  /// other run may have removed the objects of this one, and any error may follow from that. An error which says that
  /// the work has committed is thrown as it is.
  /// - Throws: `LeaseError.taken`, or the error of the work.
  package func whileHeld<Value>(_ work: () throws -> Value) throws -> Value {
    do {
      return try work()
    } catch {
      if case LeaseError.committedLate = error { throw error }
      do {
        try checkHeld()
      } catch let lost as LeaseError {
        if case .taken = lost { throw lost }
      } catch {
        // It cannot be told if the lease is held. The error of the work says more.
      }
      throw error
    }
  }

  /// Looks early at a lease that this run will want, in a store without locks.
  package static func look(
    at name: String, in store: any Store, host: Host, terms: LeaseTerms = LeaseTerms()
  ) throws -> LeaseLook {
    var watch = LeaseWatch(terms: terms, seesWhoIsGone: false)
    let finding = try watch.look(at: LeaseNumbers(store: store, name: name), clock: host.clock)
    return LeaseLook(watch: watch, finding: finding)
  }

  /// Takes the lease.
  /// - Parameters:
  ///   - name: the name of what is added to, for example of a source.
  ///   - waits: true to wait for another holder. If the holder may be dead and no lock tells, the call waits in any
  ///     case, for as long as its number says.
  ///   - outlasts: true to wait for a holder that may be dead; otherwise `nil` is returned at once.
  ///   - look: the result of an earlier look. It may be old: a number is created only once.
  ///   - demanded: only the number after this one is tried, which `look` has found free, and `nil` is returned if
  ///     another one came meanwhile; `nil` if any number may be tried.
  ///   - errands: gives the lease back in the background; `nil` if the caller waits for that.
  ///   - content: returns what the next number says of the holder's work.
  ///   - observers: learn what becomes of the lease.
  ///   - maker: returns the configured name of this host; `nil` if it has none. It is called only if there is a role.
  ///   - admits: is told what the newest number says of the host that serves, before the next number is created. It
  ///     throws if this run may not follow it.
  ///   - onCreation: called when a number was created: what is listed from then on shows what earlier holders did. It
  ///     may be called although another run turns out to hold the lease.
  ///   - onWait: called once when the call has waited for seconds for a holder that may be dead.
  /// - Returns: `nil` when another run holds it.
  package static func take(
    _ name: String, in store: any Store, host: Host, terms: LeaseTerms = LeaseTerms(), random: Randomness = .system,
    waits: Bool, outlasts: Bool = true, after look: LeaseLook? = nil,
    following demanded: UInt64? = nil, givenBackBy errands: Errands? = nil,
    content: @escaping @Sendable () -> LeaseBeat? = { nil }, observers: [any HeartbeatObserver] = [],
    as maker: @escaping @Sendable () -> HostName? = { nil }, admits: (RoleReading) throws -> Void = { _ in },
    onCreation: () -> Void = {}, onWait: () -> Void = {}
  ) throws -> Lease? {
    // An earlier lease of this run may be on its way back.
    errands?.wait()
    guard let lock = try store.lock(name, wait: waits, cancellation: host.cancellation) else { return nil }
    let numbers = LeaseNumbers(store: store, name: name)
    if lock.showsThatOthersAreGone { numbers.removeUnfinished() }
    let record = LeaseRecord(
      holder: random.identifier(), term: terms.duration, locked: lock.showsThatOthersAreGone,
      host: Host.name, process: Host.processID, time: RecordedTime(host.clock.now()))
    let holder = LeaseHolder(
      numbers, record, clock: host.clock, terms: terms, content: content, observers: observers, maker: maker)
    let early = lock.showsThatOthersAreGone && demanded == nil ? nil : look
    var watch = early?.watch ?? LeaseWatch(terms: terms, seesWhoIsGone: lock.showsThatOthersAreGone)
    // If somebody held the lease at the early look, it is looked at anew.
    var known = early?.freeNumber.map { LeaseWatch.Finding.free($0) }
    let begun = host.clock.uptime()
    var isTold = false
    while true {
      try host.cancellation.check()
      let finding = try known ?? watch.look(at: numbers, clock: host.clock)
      known = nil
      try admits(watch.serving)
      switch finding {
      case .free(let number):
        if let demanded, number != demanded + 1 { return nil }
        holder.begins(watch.serving)
        let isMine = try holder.ask(for: number) {
          store.refresh()
          onCreation()
        }
        if isMine { return Lease(holder, lock, terms, errands) }
        if demanded != nil { return nil }
      case .held(let isAlive):
        if isAlive && !waits || !outlasts || demanded != nil { return nil }
        Pause.time(terms.look)
        if !isTold, host.clock.uptime() - begun >= Self.silenceMax {
          isTold = true
          onWait()
        }
      }
    }
  }
}

/// The lock of a lease. It is released by a call, and not with the last reference to it: a thread that has done an
/// errand may keep the work of it for a moment longer, and the next run would meet the lock.
private final class HeldLock: Sendable {
  private let state: Mutex<(lock: (any StoreLock)?, isEnding: Bool)>

  /// - Parameter lock: `nil` if there is nothing to release.
  init(_ lock: (any StoreLock)?) { state = Mutex((lock, lock == nil)) }

  /// True at the first call.
  func beginsToEnd() -> Bool {
    state.withLock { state in
      defer { state.isEnding = true }
      return !state.isEnding
    }
  }

  func release() {
    let lock = state.withLock { state in
      defer { state.lock = nil }
      return state.lock
    }
    // The lock ends here and not inside the mutex: that may take long, and others ask meanwhile.
    withExtendedLifetime(lock) {}
  }
}
