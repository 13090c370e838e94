internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Copies the archived WAL of a source: of each file the object, and then its manifest.
struct WALCopy {
  private let home: WALArchive
  private let target: WALArchive
  private let copying: ContainerCopy

  init(from home: Repository, to target: Repository, of source: SourceName) {
    self.home = WALArchive(home, of: source)
    self.target = WALArchive(target, of: source)
    copying = ContainerCopy(from: home, to: target)
  }

  /// Returns the keys of the manifests that only home has, in ascending order.
  /// - Parameter snapshots: returns the only snapshots that the target shall have; `nil` if it shall have all.
  func missing(for snapshots: (() throws -> [Snapshot])? = nil) throws -> [String] {
    let missing = try manifests(in: home).subtracting(manifests(in: target))
    guard let snapshots, !missing.isEmpty else { return missing.sorted() }
    let envelopes = try snapshots().map(\.envelope)
    let needed = Set(try WALTerm(home.repository, of: home.source, neededBy: envelopes).keys())
    // Log of a cluster without a snapshot may be that of a new one.
    let systems = Set(envelopes.compactMap(\.postgres?.system))
    return missing.filter { needed.contains($0) || !systems.contains(String($0.split(separator: "/")[2])) }.sorted()
  }

  private func manifests(in archive: WALArchive) throws -> Set<String> {
    var keys: Set<String> = []
    for system in try archive.systems() {
      for copy in try archive.allCopies(of: system) {
        keys.insert(Keys.walManifest(archive.source, system, copy.file, copy: copy.copy))
      }
    }
    return keys
  }

  /// Copies files, several at once. An error in one does not prevent the others.
  /// - Parameter onCopied: gets the bytes of each file.
  /// - Returns: the damage at home.
  func copy(_ keys: [String], onCopied: @escaping @Sendable (UInt64) -> Void) throws -> [DamageError] {
    let damage = DamageList()
    let (home, target, copying) = (home, target, copying)
    try SideBySide.run(keys.count, threads: copying.threads) { index in
      try home.repository.host.cancellation.check()
      do {
        guard let archived = try home.archived(keys[index]) else { return }
        let object = archived.manifest.object
        let item = ContainerCopy.Item(kind: .wal, key: archived.manifest.objectKey, reference: object)
        try copying.copy(item)
        let bytes = try home.repository.store.object(archived.key).contents(max: Limits.envelopeBytesMax)
        guard try ArchivedWAL(parsing: bytes, name: archived.key) == archived else {
          throw DamageError(archived.key, "it is another manifest than a moment ago")
        }
        try target.repository.store.put(bytes, at: archived.key)
        onCopied(object.length)
      } catch let found as DamageError {
        damage.add(found)
      } catch StoreError.alreadyExists {
        // Another run has copied it. Two sound files of one name are copies of each other.
      } catch StoreError.notFound {
        // A prune has removed it meanwhile.
      }
    }
    return damage.all
  }

  /// Removes the files that no recovery from a snapshot of the target can use. A target that has all snapshots keeps
  /// the same files as home.
  /// - Parameter isApart: true if the target has a retention of its own.
  func prune(under lease: Lease, isApart: Bool) throws {
    let extra = try manifests(in: target).subtracting(manifests(in: home))
    guard !extra.isEmpty || isApart else { return }
    let snapshots = try target.repository.catalog.committedSnapshots(of: target.source) { _ in }
    let isGone = try snapshots.isEmpty && home.repository.catalog.removal(of: home.source)?.isCollected == true
    let plans = try target.systems().map {
      try WALPrunePlan(target, $0, left: snapshots, isSourceGone: isGone)
    }.filter { !$0.isEmpty }
    try WALPruneExecution(target.repository, of: target.source, under: lease, home: home.repository).run(plans)
  }
}

extension WALArchive {
  /// Returns the archived file whose manifest has this key; `nil` if there is none.
  func archived(_ key: String) throws -> ArchivedWAL? {
    let parts = key.split(separator: "/")
    guard parts.count == 5, let system = SystemIdentifier(String(parts[2])),
      let (file, copy) = Keys.walFile(parts[4], in: String(parts[3]))
    else { return nil }
    return try find(file, of: system, copy: copy)
  }
}
