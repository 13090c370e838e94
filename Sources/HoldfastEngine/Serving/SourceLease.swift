internal import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
internal import HoldfastSystem

extension Lease {
  /// Takes the lease on a source for a run that adds to it. It keeps other runs from it as long as the result exists.
  /// - Throws: `EngineError` with exit status 13 if another host serves the source.
  static func take(
    on name: SourceName, of repository: Repository, waits: Bool, progress: any ProgressObserver
  ) throws -> Lease {
    let onWait = {
      progress.note(
        "another run has the lease on \(name), and may have been killed: waiting up to two minutes to see whether it is alive"
      )
    }
    if let lease = try take(on: name, of: repository, waits: false, serves: true, onWait: onWait) { return lease }
    // A watch never ends, so nobody waits for it.
    if let watch = watchError(on: name, of: repository) { throw watch }
    if waits {
      progress.note("another run is backing up \(name); waiting for it")
      if let lease = try take(on: name, of: repository, waits: true, serves: true) { return lease }
    }
    throw EngineError(
      .transient, "another run is backing up \(name)", hint: "Wait for it, or say --wait.", exitStatus: .locked)
  }

  /// Returns the error of a run that finds the lease with `holdfast watch`; `nil` if something else holds it.
  package static func watchError(on name: SourceName, of repository: Repository) -> EngineError? {
    guard let watch = try? LeaseNumbers(store: repository.store, name: name.key).newest()?.record, watch.beat != nil,
      !watch.isGivenBack
    else { return nil }
    // Anyone who can write to the store can write this.
    let host = Path(watch.host)
    let isHere = watch.host == Host.name && watch.process > 1
    return EngineError(
      .transient, "`holdfast watch` takes the snapshots of \(name), on \(host), process \(watch.process)",
      hint:
        "Leave it to that; or stop it there first, with `systemctl stop` and its unit\(isHere ? ", or `kill \(watch.process)`" : "").",
      exitStatus: .locked)
  }

  /// Takes the lease on a source for a host that means to take over, whoever serves now. Its numbers repeat the role
  /// until `announce` changes it.
  /// - Parameters:
  ///   - look: the look by which the number was found free.
  ///   - number: the number that was read before the fence: only the one after it is taken.
  ///   - observers: learn what becomes of the lease.
  /// - Returns: `nil` if another number came meanwhile: then all begins anew, with another fence.
  package static func takeOver(
    _ name: SourceName, of repository: Repository, after look: LeaseLook, following number: UInt64,
    terms: LeaseTerms = LeaseTerms(), observers: [any HeartbeatObserver] = []
  ) throws -> Lease? {
    try take(
      name.key, in: repository.store, host: repository.host, terms: terms, waits: false, after: look,
      following: number, observers: observers, as: { [hostName = repository.hostName] in hostName(name) })
  }

  /// - Parameters:
  ///   - serves: true for a run that only the host may do which serves the source.
  ///   - outlasts: true if the call waits for a holder that may be dead.
  ///   - onWait: called once when the call has waited for seconds for such a holder.
  /// - Returns: `nil` when another run holds it.
  static func take(
    on name: SourceName, of repository: Repository, waits: Bool, serves: Bool = false, outlasts: Bool = true,
    onWait: () -> Void = {}
  ) throws -> Lease? {
    if let held = repository.held, held.source == name { return held.lease.lent() }
    let store = repository.store
    let isNear = store.capabilities.isNear
    var listing: Future<[String]>?
    let lease = try take(
      name.key, in: store, host: repository.host, waits: waits, outlasts: outlasts,
      after: repository.ahead?.takeLook(at: name),
      givenBackBy: isNear ? nil : repository.errands,
      as: { [hostName = repository.hostName] in hostName(name) },
      admits: serves ? admission(to: name, of: repository) : { _ in },
      onCreation: {
        // The run begins with this listing, and the store remembers it.
        if !isNear { listing = store.meanwhile { try store.names(below: Keys.source(name)) } }
      }, onWait: onWait)
    // If there was no answer, the run asks again.
    _ = try? listing?.value()
    return lease
  }
}
