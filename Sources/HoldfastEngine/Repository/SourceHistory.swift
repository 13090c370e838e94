internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem

/// What a run that adds a snapshot to a source needs to know of those before it.
extension Repository {
  /// Keeps other runs off a source as long as the result lives.
  func lock(_ name: SourceName, waits: Bool, progress: any ProgressObserver) throws -> any StoreLock {
    if let lock = try store.lock(name.text, wait: false, cancellation: host.cancellation) { return lock }
    if waits {
      progress.note("another run is backing up \(name); waiting for it")
      if let lock = try store.lock(name.text, wait: true, cancellation: host.cancellation) { return lock }
    }
    throw EngineError(
      "another run is backing up \(name)", hint: "Wait for it, or say --wait.", exitStatus: .locked)
  }

  /// The newest committed snapshot whose envelope can be read; a damaged one is warned of and passed over.
  /// - Parameter removesLeftovers: whether what killed runs left is removed. Only under the lock.
  func newestSnapshot(
    of name: SourceName, removesLeftovers: Bool, progress: any ProgressObserver
  ) throws -> Snapshot? {
    let newest = try newestReadable(of: name, removesLeftovers: removesLeftovers, progress: progress)
    guard let head = memory?.head(of: name) else { return newest }
    if newest.map({ $0.sequence < head.sequence }) ?? true {
      progress.warn(
        "snapshot number \(head.sequence) of \(name), which this machine has seen, is not there: the repository was put back, or has lost its newest snapshots"
      )
    } else if let newest, newest.sequence == head.sequence, newest.digest != head.digest {
      progress.warn(
        "snapshot number \(head.sequence) of \(name) is another one than this machine has seen: the repository was put back"
      )
    }
    return newest
  }

  private func newestReadable(
    of name: SourceName, removesLeftovers: Bool, progress: any ProgressObserver
  ) throws -> Snapshot? {
    for sequence in try sequences(of: name).reversed() {
      do {
        if let snapshot = try snapshotIfCommitted(name, sequence) { return snapshot }
        if removesLeftovers { try store.removeAll(below: Keys.snapshot(name, sequence)) }
      } catch let damage as DamageError {
        progress.warn(damage.message)
      }
    }
    return nil
  }
}
