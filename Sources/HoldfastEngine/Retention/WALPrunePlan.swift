internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The removals of a prune from the archived WAL of one cluster: the files that `WALRetention` names, except timeline
/// histories. A former cluster is one that has no snapshot left, while a snapshot of another cluster under the same
/// name is newer than all of its WAL: then all its WAL is removed. Damaged copies of other files are removed if another
/// copy is sound.
package struct WALPrunePlan: Sendable, Hashable {
  /// An object of the WAL archive that is removed, with its manifest.
  struct Copy: Hashable {
    let file: WALFileName
    let number: UInt64
    /// The key of the object that the manifest names; `nil` if the manifest cannot be read.
    let objectKey: String?
  }

  package let source: SourceName
  package let system: SystemIdentifier
  package private(set) var files = 0
  /// The number of damaged copies of files that stay, of which another copy is sound.
  package private(set) var damagedCopies = 0
  /// The bytes of all removed objects.
  package private(set) var bytes: UInt64 = 0
  private(set) var copies: [Copy] = []

  var isEmpty: Bool { files + damagedCopies == 0 }

  /// - Parameters:
  ///   - snapshots: the remaining snapshots of the source.
  ///   - isSourceGone: true if the source was removed as a whole, and no snapshot is left: then all its WAL goes.
  init(
    _ archive: WALArchive, _ system: SystemIdentifier, left snapshots: [Snapshot], isSourceGone: Bool
  ) throws {
    (source, self.system) = (archive.source, system)
    let inventory = try WALInventory(archive, system)
    guard !isSourceGone, try !Self.isFormer(inventory, snapshots) else {
      for file in inventory.files { try addFile(file, of: archive) }
      return
    }
    guard let size = inventory.size else { return }
    let retention = WALRetention(snapshots, of: system)
    var gone: Set<WALFileName> = []
    for file in inventory.files where file.kind != .timelineHistory {
      guard let floor = retention.floor(of: file.timeline), let number = file.number(size),
        size.start(of: number + 1) <= floor
      else { continue }
      gone.insert(file)
      try addFile(file, of: archive)
    }
    try addDamagedCopies(of: archive, but: gone)
  }

  /// Returns true for a former cluster. A new cluster without a snapshot has WAL that is newer than the snapshots of
  /// others.
  private static func isFormer(_ inventory: WALInventory, _ snapshots: [Snapshot]) throws -> Bool {
    let clusters = snapshots.compactMap { snapshot in
      snapshot.envelope.postgres.map { (system: $0.system, started: snapshot.envelope.started) }
    }
    guard let newest = clusters.map(\.started).max(),
      !clusters.contains(where: { $0.system == inventory.system.description })
    else { return false }
    // The last file usually decides. A file that cannot be read may be of any time.
    return try inventory.files.reversed().allSatisfy { file in
      do {
        return try inventory.archived(file).manifest.time.moment < newest
      } catch  where !error.isTransient {
        return false
      }
    }
  }

  private mutating func addFile(_ file: WALFileName, of archive: WALArchive) throws {
    try archive.repository.host.cancellation.check()
    files += 1
    for number in try archive.copies(of: system, in: file.directory)[file] ?? [] {
      try add(file, copy: number, of: archive)
    }
  }

  /// Adds damaged copies of files that stay. Nearly every file has one copy; for the others all copies are read. Copies
  /// of files that may differ stay, because none is a copy of another.
  private mutating func addDamagedCopies(of archive: WALArchive, but gone: Set<WALFileName>) throws {
    let copies = Dictionary(grouping: try archive.allCopies(of: system), by: \.file)
    for (file, copies) in copies where copies.count > 1 && !file.mayDiffer && !gone.contains(file) {
      let damaged = try copies.map(\.copy).filter { try isDamaged(file, copy: $0, archive) }
      guard damaged.count < copies.count else { continue }
      damagedCopies += damaged.count
      for number in damaged { try add(file, copy: number, of: archive) }
    }
  }

  private func isDamaged(_ file: WALFileName, copy: UInt64, _ archive: WALArchive) throws -> Bool {
    do {
      try archive.find(file, of: system, copy: copy).map { try archive.verify($0) }
      return false
    } catch  where error.isDamage {
      return true
    }
  }

  private mutating func add(_ file: WALFileName, copy number: UInt64, of archive: WALArchive) throws {
    let manifest = try manifest(of: file, copy: number, in: archive)
    bytes = bytes.saturatingAdding(manifest?.object.length ?? 0)
    copies.append(Copy(file: file, number: number, objectKey: manifest?.objectKey))
  }

  /// Returns the manifest of a copy; `nil` if it cannot be read. Transient errors are thrown.
  private func manifest(of file: WALFileName, copy: UInt64, in archive: WALArchive) throws -> WALManifest? {
    do {
      return try archive.find(file, of: system, copy: copy)?.manifest
    } catch  where !error.isTransient {
      return nil
    }
  }
}

/// Removes archived WAL as planned, and the leftovers of killed pushes. It runs under the lease on the source, which
/// pushes do not hold.
struct WALPruneExecution {
  private let archive: WALArchive
  private let lease: Lease
  private let home: Repository?

  /// - Parameters:
  ///   - lease: the lease on the source.
  ///   - home: home, if the repository is another target.
  init(_ repository: Repository, of source: SourceName, under lease: Lease, home: Repository? = nil) {
    archive = WALArchive(repository, of: source)
    (self.lease, self.home) = (lease, home)
  }

  func run(_ plans: [WALPrunePlan]) throws {
    for system in try archive.systems() { try WALLeftovers(archive, home: home).collect(of: system) }
    for plan in plans { try run(plan) }
  }

  /// Removes a manifest before its object, so that at every moment there is either a complete file or none.
  private func run(_ plan: WALPrunePlan) throws {
    let store = archive.repository.store
    for copy in plan.copies {
      try archive.repository.host.cancellation.check()
      try lease.checkHeld()
      // Locked objects stay until a later prune.
      _ = try StoreError.lockEnd {
        try store.remove(Keys.walManifest(plan.source, plan.system, copy.file, copy: copy.number))
        if let objectKey = copy.objectKey { try store.remove(objectKey) }
      }
    }
  }
}
