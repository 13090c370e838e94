internal import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
package import HoldfastStore
internal import HoldfastSystem

extension Lease {
  /// Takes the lease on a source, which keeps other runs from it as long as the result exists.
  static func take(
    on name: SourceName, of repository: Repository, waits: Bool, progress: any ProgressObserver
  ) throws -> Lease {
    let onWait = {
      progress.note(
        "another run has the lease on \(name), and may have been killed: waiting up to two minutes to see whether it is alive"
      )
    }
    if let lease = try take(on: name, of: repository, waits: false, onWait: onWait) { return lease }
    // A watch never ends, so nobody waits for it.
    if let watch = watchError(on: name, of: repository) { throw watch }
    if waits {
      progress.note("another run is backing up \(name); waiting for it")
      if let lease = try take(on: name, of: repository, waits: true) { return lease }
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

  /// - Parameters:
  ///   - outlasts: true if the call waits for a holder that may be dead.
  ///   - onWait: called once when the call has waited for seconds for such a holder.
  /// - Returns: `nil` when another run holds it.
  static func take(
    on name: SourceName, of repository: Repository, waits: Bool, outlasts: Bool = true, onWait: () -> Void = {}
  ) throws -> Lease? {
    if let held = repository.held, held.source == name { return held.lease.lent() }
    let store = repository.store
    let isNear = store.capabilities.isNear
    var listing: Future<[String]>?
    let lease = try take(
      name.key, in: store, host: repository.host, waits: waits, outlasts: outlasts,
      after: repository.ahead?.takeLook(at: name),
      givenBackBy: isNear ? nil : repository.errands,
      onCreation: {
        // The run begins with this listing, and the store remembers it.
        if !isNear { listing = store.meanwhile { try store.names(below: Keys.source(name)) } }
      }, onWait: onWait)
    // If there was no answer, the run asks again.
    _ = try? listing?.value()
    return lease
  }
}
