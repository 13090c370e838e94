internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore

/// The archived log that a recovery from snapshots may need. Its term must not end before theirs.
struct WALTerm {
  private let archive: WALArchive
  private let clusters: [Envelope.Postgres]

  /// - Parameter envelopes: the snapshots of the source that are locked until the same time.
  init(_ repository: Repository, of source: SourceName, neededBy envelopes: [Envelope]) {
    archive = WALArchive(repository, of: source)
    clusters = envelopes.compactMap(\.postgres)
  }

  /// Returns the keys of the manifests and objects that are needed, chosen by their names alone.
  func keys() throws -> [String] {
    guard !clusters.isEmpty else { return [] }
    return try archive.systems().flatMap { system -> [String] in
      let own = clusters.filter { $0.system == system.description }
      return own.isEmpty ? [] : try keys(of: system, own)
    }
  }

  private func keys(of system: SystemIdentifier, _ clusters: [Envelope.Postgres]) throws -> [String] {
    let found = try names(of: system)
    let size = try WALInventory.segmentSize(found.map(\.file), archive, system)
    let retention = WALRetention(clusters.map { WALRetention.Start(timeline: $0.timeline, lsn: $0.start) })
    return found.filter { file, _ in
      guard let size, let number = file.number(size), let floor = retention.floor(of: file.timeline) else {
        return true
      }
      return size.start(of: number + 1) > floor
    }.map(\.key)
  }

  /// Returns all files of a cluster, with the keys of their manifests and objects.
  private func names(of system: SystemIdentifier) throws -> [(file: WALFileName, key: String)] {
    let store = archive.repository.store
    return try store.children(of: Keys.wal(archive.source, system)).filter { $0.hasSuffix("/") }.flatMap { folder in
      let directory = String(folder.dropLast())
      let prefix = Keys.wal(archive.source, system, directory)
      return try store.children(of: prefix).compactMap { name in
        (Keys.walFile(name, in: directory)?.file ?? Keys.walObjectFile(name)).map { ($0, prefix + name) }
      }
    }
  }
}
