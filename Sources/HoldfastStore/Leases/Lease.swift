internal import HoldfastModel
package import HoldfastSystem

/// The right to be the only one that adds to something, as long as this lives: on any store that creates an object only
/// once.
///
/// `leases/NAME/NUMBER`: each number is created once, by its holder, who goes on by creating the next one. Whoever
/// wants it watches by its own clock for as long as the
/// newest number says, and where no new one comes takes the next itself. No two clocks are compared. Where the store
/// has a lock, that excludes at once and ends with its
/// process; the numbers stand beside it for those who reach the store another way. Nothing that is stored rests on a
/// lease: numbers of manifests, notes and the keyring
/// are created once too (docs/decisions/0020-leases.md).
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

  /// The fencing token: it stands in what is committed under the lease, and grows with each holder.
  package var number: UInt64 { holder.number }

  /// Just before something is committed or removed: makes sure that nobody else may do the same.
  /// - Throws: `LeaseError`, which is transient, where another holds it by now, or may do so.
  package func checkHeld() throws { try holder.checkHeld() }

  /// - Parameters:
  ///   - name: of a source, say.
  ///   - waits: whether to wait for another holder. One that is gone, and has left no lock to tell, is waited for in
  ///      any case: as long as its number says.
  /// - Returns: `nil` where another holds it.
  package static func take(
    _ name: String, in store: any Store, host: Host, terms: LeaseTerms = LeaseTerms(), random: Randomness = .system,
    waits: Bool
  ) throws -> Lease? {
    guard let lock = try store.lock(name, wait: waits, cancellation: host.cancellation) else { return nil }
    let numbers = LeaseNumbers(store: store, name: name)
    let record = LeaseRecord(
      holder: random.identifier(), seconds: terms.duration, locked: lock.showsThatOthersAreGone,
      host: Host.name, process: Host.processID, time: TimeText.utc(host.clock.now()))
    let holder = LeaseHolder(numbers, record, clock: host.clock, terms: terms)
    var watch = LeaseWatch(terms: terms, seesWhoIsGone: lock.showsThatOthersAreGone)
    while true {
      try host.cancellation.check()
      switch try watch.look(at: numbers, clock: host.clock) {
      case .free(let number):
        if try holder.ask(for: number) { return Lease(holder, lock, terms) }
      case .held(let isAlive):
        if isAlive, !waits { return nil }
        Pause.seconds(terms.look)
      }
    }
  }
}
