internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The objects that killed pushes have left: unfinished objects, and objects that no manifest names.
///
/// A running push has such objects too, so they are removed only while no push holds the lock. A push without the lock,
/// or on a machine that this one cannot see, notices that its unfinished object is gone (`WALPush`). An object without
/// a manifest is removed only if this machine has known it for long (`WALOrphans`); in a store without locks, so is an
/// unfinished object.
///
/// At another target than home, what home has is no leftover: a push that writes shards to all targets at once leaves
/// its manifest at home alone, and a sync brings it later.
struct WALLeftovers {
  private let archive: WALArchive
  /// `nil` if the archive is that of home.
  private let home: Repository?
  private var store: any Store { archive.repository.store }
  /// Pushes lock home, and write shards to all targets.
  private var isLockedByPushes: Bool { store.capabilities.locks && !(store is ShardView) }

  init(_ archive: WALArchive, home: Repository? = nil) { (self.archive, self.home) = (archive, home) }

  /// Removes them for a prune. The lock is given back after each directory, because a push waits for it only for
  /// seconds.
  func collect(of system: SystemIdentifier) throws {
    for name in try store.names(below: Keys.wal(archive.source, system)) where name.hasSuffix("/") {
      try archive.repository.host.cancellation.check()
      let directory = String(name.dropLast())
      if isLockedByPushes {
        try collect(of: system, in: directory)
      } else {
        try remove(of: system, in: directory, isAlone: false)
      }
    }
  }

  /// Removes them for a push, while no other push holds the lock; in a store without locks, removes nothing.
  /// - Parameter directory: a directory of the archive, which need not exist.
  func collect(of system: SystemIdentifier, in directory: String) throws {
    let hold = try store.hold(
      Keys.walLock(archive.source, system), exclusively: true, cancellation: archive.repository.host.cancellation)
    guard let hold else { return }
    defer { withExtendedLifetime(hold) {} }
    try remove(of: system, in: directory, isAlone: true)
  }

  /// - Parameter isAlone: true if no push runs meanwhile.
  private func remove(of system: SystemIdentifier, in directory: String, isAlone: Bool) throws {
    let prefix = Keys.wal(archive.source, system, directory)
    if isAlone { try store.removeUnfinished(in: prefix) }
    let unfinished = isAlone ? [] : try store.unfinished(below: prefix, .everything)
    let objects = Dictionary(grouping: try store.names(below: prefix)) { Keys.walObjectFile($0) }
    // Manifests are read last, because the object of a new manifest is needed.
    let copies = try archive.copies(of: system, in: directory)
    var orphans: [String: WALFileName] = [:]
    for (file, names) in objects {
      // Nearly every file has as many objects as manifests: then no manifest is read.
      guard let file, names.count > copies[file]?.count ?? 0 else { continue }
      for key in try orphaned(names.map { prefix + $0 }, of: file, system, copies[file] ?? []) { orphans[key] = file }
    }
    guard !orphans.isEmpty || !unfinished.isEmpty else { return }
    let overdue = overdue(orphans.keys + unfinished.map(\.name), below: prefix)
    try store.removeUnfinished(unfinished.filter { overdue.contains($0.name) })
    for key in overdue {
      guard let file = orphans[key] else { continue }
      // A push may have stored the manifest of the object since the listing.
      store.refresh()
      let copies = try archive.copies(of: system, in: directory)[file] ?? []
      guard try orphaned([key], of: file, system, copies) == [key] else { continue }
      // Home is asked last: a push writes there first.
      home?.store.refresh()
      if try home?.store.find([key]).first.flatMap(\.self) == nil { try store.remove(key) }
    }
  }

  /// - Parameter copies: the numbers of the copies of the file.
  /// - Returns: the keys that no manifest of the file names; none if a manifest cannot be read, because its object is
  ///   not known.
  private func orphaned(
    _ keys: [String], of file: WALFileName, _ system: SystemIdentifier, _ copies: [UInt64]
  ) throws -> [String] {
    var needed: Set<String> = []
    for copy in copies {
      guard let archived = try? archive.find(file, of: system, copy: copy) else { return [] }
      needed.insert(archived.manifest.objectKey)
    }
    return keys.filter { !needed.contains($0) }
  }

  /// - Returns: the keys that this machine has known for long; none if it keeps no memory.
  private func overdue(_ keys: some Sequence<String>, below prefix: String) -> Set<String> {
    var overdue: Set<String> = []
    // Each target is remembered by itself.
    let place = home == nil ? "" : "\(archive.repository.location): "
    try? archive.repository.machine.change(WALOrphans.self) { orphans in
      let known = orphans.update(
        keys.map { place + $0 }, below: place + prefix, at: MachineMoment(on: archive.repository.host))
      overdue = Set(known.map { String($0.dropFirst(place.count)) })
    }
    return overdue
  }
}
