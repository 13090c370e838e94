internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
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
    if waits {
      progress.note("another run is backing up \(name); waiting for it")
      if let lease = try take(on: name, of: repository, waits: true) { return lease }
    }
    throw EngineError(
      .transient, "another run is backing up \(name)", hint: "Wait for it, or say --wait.", exitStatus: .locked)
  }

  /// - Parameters:
  ///   - outlasts: true if the call waits for a holder that may be dead.
  ///   - onWait: called once when the call has waited for seconds for such a holder.
  /// - Returns: `nil` when another run holds it.
  static func take(
    on name: SourceName, of repository: Repository, waits: Bool, outlasts: Bool = true, onWait: () -> Void = {}
  ) throws -> Lease? {
    let store = repository.store
    let isNear = store.capabilities.isNear
    var listing: Future<[String]>?
    let lease = try take(
      name.text, in: store, host: repository.host, waits: waits, outlasts: outlasts,
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
