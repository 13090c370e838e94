internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// What killed pushes have left: unfinished objects, and objects that no manifest names. A running push has such
/// objects too, so they are removed only while nobody pushes. A push that this machine cannot see, or that did not get
/// the lock, notices when its unfinished object is gone (`WALPush`); an object without a manifest goes only when this
/// machine has known of it for long (`WALOrphans`). In a store without locks nobody knows who pushes: there an
/// unfinished object goes only then, too.
struct WALLeftovers {
  private let archive: WALArchive
  private var store: any Store { archive.repository.store }

  init(_ archive: WALArchive) { self.archive = archive }

  /// For a prune. The lock is given back after each directory, because a push waits for it only for seconds.
  func collect(of system: SystemIdentifier) throws {
    for name in try store.names(below: Keys.wal(archive.source, system)) where name.hasSuffix("/") {
      try archive.repository.host.cancellation.check()
      let directory = String(name.dropLast())
      if store.capabilities.locks {
        try collect(of: system, in: directory)
      } else {
        try remove(of: system, in: directory, isAlone: false)
      }
    }
  }

  /// For a push. Removes them only while nobody else pushes; in a store without locks nothing.
  /// - Parameter directory: a directory of the archive, which need not exist.
  func collect(of system: SystemIdentifier, in directory: String) throws {
    let hold = try store.hold(
      Keys.walLock(archive.source, system), exclusively: true, cancellation: archive.repository.host.cancellation)
    guard let hold else { return }
    defer { withExtendedLifetime(hold) {} }
    try remove(of: system, in: directory, isAlone: true)
  }

  /// - Parameter isAlone: whether nobody pushes meanwhile.
  private func remove(of system: SystemIdentifier, in directory: String, isAlone: Bool) throws {
    let prefix = Keys.wal(archive.source, system, directory)
    if isAlone { try store.removeUnfinished(in: prefix) }
    let unfinished = isAlone ? [] : try store.unfinished(below: prefix, .everything)
    let objects = Dictionary(grouping: try store.names(below: prefix)) { Keys.walObjectFile($0) }
    // Manifests are read last, because the object of a new manifest is needed.
    let copies = try archive.copies(of: system, in: directory)
    var orphans: [String: WALFileName] = [:]
    for (file, names) in objects {
      // Nearly every file has as many objects as manifests: then none is read.
      guard let file, names.count > copies[file]?.count ?? 0 else { continue }
      for key in try orphaned(names.map { prefix + $0 }, of: file, system, copies[file] ?? []) { orphans[key] = file }
    }
    guard !orphans.isEmpty || !unfinished.isEmpty else { return }
    let overdue = overdue(orphans.keys + unfinished.map(\.name), below: prefix)
    try store.removeUnfinished(unfinished.filter { overdue.contains($0.name) })
    for key in overdue {
      guard let file = orphans[key] else { continue }
      // The listing is old by now: a push may have stored the manifest of the object since.
      store.refresh()
      let copies = try archive.copies(of: system, in: directory)[file] ?? []
      if try orphaned([key], of: file, system, copies) == [key] { try store.remove(key) }
    }
  }

  /// - Parameter copies: the copies of the file that there are.
  /// - Returns: those of some objects of a file that none of its manifests names; empty when a manifest cannot be read,
  ///   because its object is unknown.
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

  /// - Returns: those that this machine has known of for long; none where it keeps nothing.
  private func overdue(_ keys: some Sequence<String>, below prefix: String) -> Set<String> {
    var overdue: Set<String> = []
    try? archive.repository.machine.change(WALOrphans.self) { orphans in
      overdue = Set(orphans.update(keys, below: prefix, at: MachineMoment(on: archive.repository.host)))
    }
    return overdue
  }
}
