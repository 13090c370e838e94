internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastStore

/// Commits, withdraws and removes snapshots.
extension Catalog {
  /// Commits a snapshot, all of whose objects are durable.
  /// - Parameter manifest: its bytes.
  package func commit(_ manifest: [UInt8], of source: SourceName, _ sequence: UInt64) throws {
    try store.put(manifest, at: Keys.manifest(source, sequence))
  }

  /// Takes back a snapshot that this run has committed. The manifest of another run stays.
  /// - Parameter manifest: the bytes that this run has committed.
  package func withdraw(_ manifest: [UInt8], of source: SourceName, _ sequence: UInt64) throws {
    guard try self.manifest(of: source, sequence)?.contents(max: Limits.envelopeBytesMax) == manifest else { return }
    try store.remove(Keys.manifest(source, sequence))
  }

  /// True if the listing shows a manifest under a sequence number.
  package func isCommitted(_ source: SourceName, _ sequence: UInt64) throws -> Bool {
    try store.children(of: Keys.snapshot(source, sequence)).contains(Keys.manifestName)
  }

  /// Deletes the objects under a sequence number, the manifest first. So at any moment there is either a complete
  /// snapshot or leftovers that do not count.
  /// - Parameter needed: the keys of archives that other snapshots use.
  package func removeObjects(of source: SourceName, _ sequence: UInt64, butThose needed: Set<String>) throws {
    let folder = Keys.snapshot(source, sequence)
    try store.remove(Keys.manifest(source, sequence))
    let names = try store.children(of: folder)
    guard names.contains(where: { needed.contains(folder + $0) }) else { return try store.removeAll(below: folder) }
    for name in names where !needed.contains(folder + name) { try store.remove(folder + name) }
  }
}
