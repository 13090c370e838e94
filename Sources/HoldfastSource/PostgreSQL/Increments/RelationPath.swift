package import HoldfastModel

extension PostgresCluster {
  /// The tablespaces that every cluster has (`catalog/pg_tablespace.dat`).
  private static let defaultTablespace: UInt32 = 1663
  private static let globalTablespace: UInt32 = 1664

  /// Returns the relation whose main fork a file of the source is a part of, and the number of the file within it.
  /// - Returns: `nil` for any other file, and for a relation whose changes are not in the log because it is temporary.
  package func relation(of path: Path) -> (locator: RelationLocator, segment: UInt32)? {
    guard let inner = relative(path), let file = RelationFile(Self.parts(of: inner)), file.fork.isEmpty,
      !file.isTemporary, let node = UInt32(file.node)
    else { return nil }
    let parts = Self.parts(of: inner)
    if parts.count == 2 {
      return (RelationLocator(tablespace: Self.globalTablespace, database: 0, node: node), file.segment)
    }
    guard let database = UInt32(parts[parts.count - 2]) else { return nil }
    if parts.count == 3, parts[0] == "base" {
      return (RelationLocator(tablespace: Self.defaultTablespace, database: database, node: node), file.segment)
    }
    guard let tablespace = tablespace(of: inner, parts) else { return nil }
    return (RelationLocator(tablespace: tablespace, database: database, node: node), file.segment)
  }

  private func tablespace(of inner: Path, _ parts: [String]) -> UInt32? {
    if parts.count == 5, parts[0] == Self.tablespaceDirectory, tablespaces.contains(where: { $0.name == parts[1] }) {
      return UInt32(parts[1])
    }
    let place = Path(parts.dropLast(3).joined(separator: "/"))
    return innerTablespaces.first { $0.location == place }.flatMap { UInt32($0.name) }
  }
}
