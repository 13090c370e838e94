internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore

extension Lease {
  /// Keeps other runs from a source as long as the result lives.
  static func take(
    on name: SourceName, of repository: Repository, waits: Bool, progress: any ProgressObserver
  ) throws -> Lease {
    if let lease = try take(name.text, in: repository.store, host: repository.host, waits: false) { return lease }
    if waits {
      progress.note("another run is backing up \(name); waiting for it")
      if let lease = try take(name.text, in: repository.store, host: repository.host, waits: true) { return lease }
    }
    throw EngineError(
      "another run is backing up \(name)", hint: "Wait for it, or say --wait.", exitStatus: .locked)
  }
}
