internal import HoldfastModel
package import HoldfastSystem

/// The right to be the only run that adds to something, as long as the object lives. It works on every store that
/// creates an object only once.
///
/// The holder creates numbers, `leases/NAME/NUMBER`, one after the other, each once. Another run that wants the lease
/// watches by its own clock for as long as the newest number says; if no new number appears, it creates the next one
/// itself. So no two clocks are compared. If the store has locks, the lease holds one too: it excludes others at once,
/// and ends with its process. The numbers then exclude those who reach the store in another way. Nothing stored depends
/// on a lease: the numbers of manifests, notes and the keyring are created once, too (docs/decisions/0020-leases.md).
package final class Lease {
  private let holder: LeaseHolder
  private let lock: any StoreLock
  private let renewal: RepeatingThread?

  private init(_ holder: LeaseHolder, _ lock: any StoreLock, _ terms: LeaseTerms) {
    self.holder = holder
    self.lock = lock
    renewal = RepeatingThread.start(every: terms.tick) { [holder] in holder.renewInTime() }
  }

  deinit {
    renewal?.stop()
    holder.giveBack()
    withExtendedLifetime(lock) {}
  }

  /// The fencing token: it is stored in what is committed under the lease, and grows with each holder.
  package var number: UInt64 { holder.number }

  /// Makes sure that no other run can hold the lease. Called just before something is committed or removed.
  /// - Throws: `LeaseError`, which is transient, when another run holds the lease, or may hold it.
  package func checkHeld() throws { try holder.checkHeld() }

  /// Does work that ends with a commit. When it fails after another run has taken over, that is the error: the other
  /// run may have removed the objects of this one, and anything can come of that.
  /// - Throws: `LeaseError.taken`, or what the work threw.
  package func whileHeld<Value>(_ work: () throws -> Value) throws -> Value {
    do {
      return try work()
    } catch {
      do {
        try checkHeld()
      } catch let lost as LeaseError {
        if case .taken = lost { throw lost }
      } catch {
        // Whether it is held cannot be told: what the work threw says more.
      }
      throw error
    }
  }

  /// - Parameters:
  ///   - name: the name of what is added to, for example of a source.
  ///   - waits: whether to wait for another holder. If the holder may be dead and no lock tells, the call waits in any
  ///     case, for as long as its number says.
  /// - Returns: `nil` when another run holds it.
  package static func take(
    _ name: String, in store: any Store, host: Host, terms: LeaseTerms = LeaseTerms(), random: Randomness = .system,
    waits: Bool
  ) throws -> Lease? {
    guard let lock = try store.lock(name, wait: waits, cancellation: host.cancellation) else { return nil }
    let numbers = LeaseNumbers(store: store, name: name)
    if lock.showsThatOthersAreGone { numbers.removeUnfinished() }
    let record = LeaseRecord(
      holder: random.identifier(), term: terms.duration, locked: lock.showsThatOthersAreGone,
      host: Host.name, process: Host.processID, time: TimeText.utc(host.clock.now()))
    let holder = LeaseHolder(numbers, record, clock: host.clock, terms: terms)
    var watch = LeaseWatch(terms: terms, seesWhoIsGone: lock.showsThatOthersAreGone)
    while true {
      try host.cancellation.check()
      switch try watch.look(at: numbers, clock: host.clock) {
      case .free(let number):
        if try holder.ask(for: number) {
          // What earlier holders did until now counts.
          store.refresh()
          return Lease(holder, lock, terms)
        }
      case .held(let isAlive):
        if isAlive, !waits { return nil }
        Pause.time(terms.look)
      }
    }
  }
}
