package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

extension Repository {
  /// Returns the absolute paths under which this machine knows the source of a snapshot: as it is recorded, and without
  /// the links on the way. None if it is no directory, or is sealed and there is no identity.
  package func sourcePaths(of snapshot: Snapshot) throws -> [Path] {
    guard let recorded = try containers.sourceOrigin(of: snapshot)?.directory else { return [] }
    return host.files.names(of: Path(bytes: TypedPath.unescape(recorded.bytes)))
  }

  /// Returns the path of an entry of a snapshot, as an operator typed it.
  /// - Throws: `EngineError` with exit status 2 for a path that no entry can have.
  package func entryPath(_ typed: TypedPath, of snapshot: Snapshot) throws -> Path {
    try typed.entryPath(below: typed.isAbsolute ? sourcePaths(of: snapshot) : [])
  }
}
