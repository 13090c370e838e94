/// A database of a PostgreSQL cluster.
package struct ClusterDatabase: Hashable, Sendable {
  package let oid: UInt32
  /// Empty if it is not known.
  package let name: String

  package init(oid: UInt32, name: String) { (self.oid, self.name) = (oid, name) }
}
