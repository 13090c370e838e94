internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// What killed pushes have left: unfinished objects, and objects that no manifest names. A running push has such
/// objects too, so they are removed only while nobody pushes. A push on a machine that does not see the lock notices
/// the loss itself (`WALPush`).
struct WALLeftovers {
  private let archive: WALArchive
  private var store: any Store { archive.repository.store }

  init(_ archive: WALArchive) { self.archive = archive }

  func collect(of system: SystemIdentifier) throws {
    try alone(system) {
      for name in try store.names(below: Keys.wal(archive.source, system)) where name.hasSuffix("/") {
        try archive.repository.host.cancellation.check()
        try remove(of: system, in: String(name.dropLast()))
      }
    }
  }

  /// - Parameter directory: a directory of the archive, which need not exist.
  func collect(of system: SystemIdentifier, in directory: String) throws {
    try alone(system) { try remove(of: system, in: directory) }
  }

  /// Runs `body` only while nobody pushes.
  private func alone(_ system: SystemIdentifier, _ body: () throws -> Void) throws {
    let hold = try store.hold(
      Keys.walLock(archive.source, system), exclusively: true, cancellation: archive.repository.host.cancellation)
    guard let hold else { return }
    defer { withExtendedLifetime(hold) {} }
    try body()
  }

  private func remove(of system: SystemIdentifier, in directory: String) throws {
    let prefix = Keys.wal(archive.source, system, directory)
    try store.removeUnfinished(below: prefix)
    // Manifests are read last, because the object of a new manifest is needed.
    let names = try store.names(below: prefix).filter { Keys.walObjectFile($0) != nil }
    let copies = try archive.copies(of: system, in: directory)
    for (file, objects) in Dictionary(grouping: names, by: { Keys.walObjectFile($0) }) {
      guard let file, objects.count > copies[file]?.count ?? 0 else { continue }
      var needed: Set<String> = []
      var isKnown = true
      for copy in copies[file] ?? [] {
        // The objects of a manifest that cannot be read are unknown.
        guard let archived = try? archive.find(file, of: system, copy: copy) else {
          isKnown = false
          break
        }
        needed.insert(archived.manifest.objectKey)
      }
      for name in objects where isKnown && !needed.contains(prefix + name) { try store.remove(prefix + name) }
    }
  }
}
