package import HoldfastModel
package import HoldfastSystem

/// Decides which files of a cluster belong in a snapshot (PostgreSQL documentation, 26.3.4 "Making a Base Backup Using
/// the Low Level API" and 55.4 "BASE_BACKUP").
package struct ClusterRules {
  package enum Verdict: Equatable {
    case capture
    /// The file does not belong in a snapshot.
    case skip
    /// The content of the file is known only after the server has ended the backup.
    case late
    /// A link to a part of the cluster that is elsewhere. Its contents are captured as if they were here.
    case follow
    /// A link that gets another target in the snapshot.
    case link(target: [UInt8])
  }

  /// Directories whose contents a starting server makes anew.
  private static let emptied: Set<String> = [
    "pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans",
  ]
  private static let skipped: Set<String> = [
    "backup_manifest", "current_logfiles.tmp", "postgresql.auto.conf.tmp", "postmaster.opts", "postmaster.pid",
  ]
  private static let signals: Set<String> = ["recovery.signal", "standby.signal"]
  fileprivate static let late: Set<String> = ["backup_label", "tablespace_map", ClusterRules.keptTablespaceMap]
  /// The server's tablespace_map, under the name that PostgreSQL gives to one that it no longer needs. In a snapshot
  /// the tablespaces are where their links were, so the file is not needed. It only records where they came from.
  static let keptTablespaceMap = "tablespace_map.old"

  let cluster: PostgresCluster

  package init(cluster: PostgresCluster) { self.cluster = cluster }

  /// Returns the verdict on a name in the source.
  /// - Parameters:
  ///   - path: relative to the source.
  ///   - listing: the listing of its directory.
  package func verdict(on path: Path, kind: FileStatus.Kind, listing: DirectoryListing) -> Verdict {
    guard let parts = cluster.parts(of: path), let name = parts.last else { return .capture }
    if kind == .symbolicLink { return verdict(onLink: parts) }
    if name.hasPrefix("pgsql_tmp") || name.hasPrefix("pg_internal.init") { return .skip }
    if parts.count == 1, Self.skipped.contains(name) { return .skip }
    guard cluster.isLive else { return .capture }
    if cluster.isLate(parts, isDirectory: kind == .directory) { return .late }
    // The server of a snapshot must not wait for the primary of this one.
    if parts.count == 1, Self.signals.contains(name) { return .skip }
    if parts.count > 1, Self.emptied.contains(parts[0]) { return .skip }
    if parts[0] == "pg_wal", parts.count > 2 { return kind == .directory ? .capture : .skip }
    return kind == .file && (RelationFile(parts)?.isRebuilt(beside: listing) ?? false) ? .skip : .capture
  }

  private func verdict(onLink parts: [String]) -> Verdict {
    if parts == ["pg_wal"] { return .follow }
    if parts.count == 1, cluster.given.contains(parts[0]) { return .late }
    guard parts.count == 2 else { return .capture }
    let isOuter = cluster.tablespaces.contains { $0.name == parts[1] }
    if parts[0] == PostgresCluster.tablespaceDirectory, isOuter { return .follow }
    guard parts[0] == PostgresCluster.tablespaceLinks else { return .capture }
    if isOuter { return .link(target: Array("../\(PostgresCluster.tablespaceDirectory)/\(parts[1])".utf8)) }
    // A link into the data directory gets a target in the restored directory, however it was written.
    guard let inner = cluster.innerTablespaces.first(where: { $0.name == parts[1] }) else { return .capture }
    return .link(target: Array("../".utf8) + inner.location.bytes)
  }

  /// Returns true for the directory in which the snapshot has the tablespaces from elsewhere.
  func isTablespaces(_ path: Path) -> Bool {
    !cluster.tablespaces.isEmpty && path == cluster.root.appending(PostgresCluster.tablespaceDirectory)
  }

  func isTablespace(_ name: ArraySlice<UInt8>) -> Bool { cluster.hasTablespace(name) }

  /// Returns the reason why the target of a link is not a part of the cluster; `nil` if it is one.
  func objection(toEntry status: FileStatus) -> String? {
    status.userID == cluster.directory.userID
      ? nil : "it lies behind a link of a cluster, and does not belong to the user of that"
  }
}

/// A file of a relation, from its name: `16384`, `16384_fsm`, `16384.1`, `t3_16384` (PostgreSQL documentation, 73.1
/// "Database File Layout").
package struct RelationFile: Equatable {
  package let node: String
  package let fork: String
  package let segment: UInt32
  package let isTemporary: Bool

  /// The most decimal digits of an object identifier, which has 32 bits.
  private static let digitsMax = 10

  /// Parses a path; `nil` if it is not that of such a file.
  /// - Parameter parts: the components of its path in the cluster.
  package init?(_ parts: [String]) {
    guard let name = parts.last, Self.isRelationDirectory(parts.dropLast()) else { return nil }
    var rest = name[...]
    isTemporary = rest.first == "t"
    if isTemporary {
      guard parts.count > 2 else { return nil }
      rest = rest.dropFirst()
      guard let end = rest.firstIndex(of: "_"), Self.isNumber(rest[..<end]) else { return nil }
      rest = rest[rest.index(after: end)...]
    }
    var segment: UInt32 = 0
    if let dot = rest.firstIndex(of: ".") {
      let digits = rest[rest.index(after: dot)...]
      guard Self.isNumber(digits), let number = UInt32(digits) else { return nil }
      segment = number
      rest = rest[..<dot]
    }
    var fork = ""
    if let line = rest.firstIndex(of: "_") {
      fork = String(rest[rest.index(after: line)...])
      guard ["fsm", "vm", "init"].contains(fork) else { return nil }
      rest = rest[..<line]
    }
    guard Self.isNumber(rest), rest.utf8.count <= Self.digitsMax else { return nil }
    (node, self.fork, self.segment) = (String(rest), fork, segment)
  }

  /// Returns true if a starting server drops the file or makes it anew. That is so for temporary relations, and for
  /// unlogged ones except their initial fork.
  /// - Parameter listing: the listing of its directory.
  package func isRebuilt(beside listing: DirectoryListing) -> Bool {
    if isTemporary { return true }
    return fork != "init" && listing.contains(Array("\(node)_init".utf8))
  }

  private static func isNumber(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private static func isRelationDirectory(_ parts: some Collection<String>) -> Bool {
    let parts = Array(parts)
    switch parts.count {
    case 1: return parts[0] == "global"
    case 2: return parts[0] == "base" && isNumber(parts[1][...])
    // In a tablespace, at any path.
    default: return parts.count > 2 && parts[parts.count - 2].hasPrefix("PG_") && isNumber(parts[parts.count - 1][...])
    }
  }
}

extension PostgresCluster {
  /// Returns true if the server tells the content of the file only after it has ended the backup.
  package func isLate(_ path: Path, _ content: Content) -> Bool {
    guard isLive, let parts = parts(of: path) else { return false }
    return isLate(parts, isDirectory: content == .directory)
  }

  /// - Parameter parts: the components of a path in the cluster.
  fileprivate func isLate(_ parts: [String], isDirectory: Bool) -> Bool {
    switch parts.count {
    case 1: ClusterRules.late.contains(parts[0]) || given.contains(parts[0])
    case 2: parts[0] == "pg_wal" && !isDirectory || given.contains(parts.joined(separator: "/"))
    default: false
    }
  }
}
