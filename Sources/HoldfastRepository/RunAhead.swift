internal import HoldfastArchive
package import HoldfastModel
package import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// Requests that a run on one source will need from a remote repository, made while the repository is opened. They
/// affect only speed: they get a listing, which the store remembers until `refresh`, manifests, which never change, and
/// a look at the lease, which is taken by creating a number once.
package final class RunAhead: Sendable {
  /// The number of newest snapshots whose manifests are read. Most runs need fewer.
  private static let manifestsMax = 8
  private let source: SourceName
  private let names: Future<[String]>
  private let look: Mutex<Future<LeaseLook>?>

  /// - Parameter takesLease: true if the run will take the lease on the source.
  init(on source: SourceName, takesLease: Bool, in store: any Store, host: Host) {
    self.source = source
    names = store.meanwhile { try store.names(below: Keys.source(source)) }
    look = Mutex(takesLease ? store.meanwhile { try Lease.look(at: source.key, in: store, host: host) } : nil)
  }

  /// Returns when the source is listed, or could not be listed.
  func wait() { _ = try? names.value() }

  /// Reads the newest manifests and notes.
  /// - Parameter store: a store that keeps what it has read.
  func readNewest(from store: any Store) {
    _ = store.meanwhile { [self] in
      let names = try names.value()
      let sequences = names.compactMap { $0.hasSuffix("/") ? Keys.sequence($0.dropLast()) : nil }.sorted()
      let notes = try names.contains(Keys.notesName) ? store.names(below: Keys.notes(source)) : []
      let revision = notes.compactMap { $0.hasSuffix("/") ? Keys.sequence($0.dropLast()) : nil }.max()
      var wanted = sequences.suffix(Self.manifestsMax).map { Keys.manifest(source, $0) }
      if let revision { wanted.append(Keys.notes(source, revision)) }
      let objects = wanted.map { (key: $0, length: nil as UInt64?) }
      // They are read only into memory, because the cache of this machine may lie in the source of the run.
      if let cached = store as? CatalogCacheStore { cached.readIntoMemory(objects) } else { store.prefetch(objects) }
    }
  }

  /// Returns the look at the lease on a source. It is given only once, because later it is too old.
  /// - Returns: `nil` when there was no look, or no answer.
  package func takeLook(at name: SourceName) -> LeaseLook? {
    guard name == source else { return nil }
    let look = look.withLock { look in
      defer { look = nil }
      return look
    }
    return try? look?.value()
  }
}
