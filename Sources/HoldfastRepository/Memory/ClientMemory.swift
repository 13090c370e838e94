internal import HoldfastArchive
package import HoldfastModel
package import HoldfastSystem

/// The memory of this machine of the repositories that it has used. By it an exchanged repository, an undone
/// revocation, or lost newest snapshots are noticed. It is kept by the repository's ID. For each name of a sealed
/// repository, the ID is kept to which the name led.
///
/// `repository-ID.json`, `repository-ID-removed.json` and `repository-ID-proved.json` belong to one repository,
/// `DIGEST.json` and `DIGEST-wal-….json` (`WALReceipts`) to one name. Earlier versions kept everything by name: this is
/// still used, and moves when something is written.
package struct ClientMemory: Sendable {
  let directory: Path?

  /// - Parameter directory: `nil` to remember nothing.
  package init(directory: Path?) {
    self.directory = directory
  }

  package static let none = ClientMemory(directory: nil)

  /// The memory of one sealed repository.
  package struct Record: Hashable, Codable {
    package struct Head: Hashable, Codable {
      package var sequence: UInt64
      var digest: Digest
      /// The path of the source, when this machine took the snapshot.
      package var path: String?
    }

    var repository: Identifier
    var keyring: Envelope.KeyringReference
    /// The first keyring of the repository; `nil` in the memory of an earlier version.
    var firstKeyring: Envelope.KeyringReference?
    /// The newest snapshot that was seen, by source.
    var heads: [String: Head]
    /// The newest revision of the notes that was seen, by source.
    var notes: [String: Envelope.KeyringReference]?
    /// The newest revision of the names of sources that was seen.
    var names: Envelope.KeyringReference?

    /// Returns the newest values of both: what a long run saw at its beginning replaces nothing newer.
    func merged(with other: Record) -> Record {
      guard other.repository == repository else { return self }
      var merged = self
      if other.keyring.revision > keyring.revision { merged.keyring = other.keyring }
      merged.firstKeyring = firstKeyring ?? other.firstKeyring
      merged.heads.merge(other.heads) { mine, others in
        var newest = others.sequence > mine.sequence ? others : mine
        newest.path = newest.path ?? mine.path ?? others.path
        return newest
      }
      if let others = other.names, others.revision > names?.revision ?? 0 { merged.names = others }
      if let others = other.notes {
        merged.notes = (notes ?? [:]).merging(others) { $1.revision > $0.revision ? $1 : $0 }
      }
      return merged
    }
  }

  /// The repository that a name led to.
  private struct Place: Hashable, Codable {
    var location: String
    var repository: Identifier
    /// The memory that earlier versions kept of the repository at this name.
    var keyring: Envelope.KeyringReference?
    var heads: [String: Record.Head]?
    var notes: [String: Envelope.KeyringReference]?

    var record: Record? {
      guard let keyring, let heads else { return nil }
      return Record(repository: repository, keyring: keyring, heads: heads, notes: notes)
    }
  }

  /// The memory of a repository, found by its ID and its names.
  struct Known {
    /// `nil` when this machine sees the repository for the first time, or it was never sealed.
    var record: Record?
    /// A name that led to another repository.
    var stranger: String?
    /// True if every name is known to lead to this repository, and everything is where this version keeps it.
    var isComplete = true

    static let nothing = Known(isComplete: false)
  }

  // MARK: Repositories and names

  /// - Parameter places: the names by which it is reached now.
  func load(_ repository: Identifier, at places: [String], files: FileSystem) throws -> Known {
    do {
      guard let directory, let folder = try MemoryFolder(directory, files: files) else { return .nothing }
      return try load(repository, at: places, in: folder)
    } catch is OwnDirectoryError {
      // Files that others may have written do not count. That nothing can be remembered there is reported when it is
      // tried.
      return .nothing
    }
  }

  private func load(_ repository: Identifier, at places: [String], in folder: MemoryFolder) throws -> Known {
    var known = Known()
    known.record = try folder.value(Record.self, of: .repository(repository), about: places.last ?? "") {
      $0.repository == repository
    }
    for location in places {
      let place = try folder.value(Place.self, of: .location(location), about: location) { $0.location == location }
      guard let place, place.repository == repository else {
        if place != nil { known.stranger = known.stranger ?? location }
        known.isComplete = false
        continue
      }
      guard let earlier = place.record else { continue }
      known.record = known.record?.merged(with: earlier) ?? earlier
      known.isComplete = false
    }
    return known
  }

  /// Merges the record with the records that other runs have written meanwhile, and writes it and the names.
  func store(_ record: Record, at places: [String], files: FileSystem) throws {
    try MemoryFolder(making: directory, files: files).whileLocked { folder in
      let known = try load(record.repository, at: places, in: folder)
      let record = known.record.map { record.merged(with: $0) } ?? record
      guard record != known.record || !known.isComplete else { return }
      // The names come last, because this drops what an earlier version kept there.
      try folder.replace(.repository(record.repository), by: record)
      guard !known.isComplete else { return }
      for location in places where location != known.stranger {
        try folder.replace(.location(location), by: Place(location: location, repository: record.repository))
      }
    }
  }

  /// Forgets the repositories to which some names led, before a new one is made there.
  func release(_ places: [String], files: FileSystem) throws {
    guard let directory, let folder = try? MemoryFolder(directory, files: files) else { return }
    try folder.whileLocked { folder in
      for location in places {
        if let place = folder.valueIfReadable(Place.self, of: .location(location)), let earlier = place.record {
          let file = MemoryFile.repository(earlier.repository)
          let known = folder.valueIfReadable(Record.self, of: file)
          try folder.replace(file, by: known?.merged(with: earlier) ?? earlier)
        }
        try folder.remove(.location(location))
        try folder.removeKinds(of: .location(location), beginningWith: MemoryFile.receiptKind)
      }
    }
  }

  /// Forgets some names and the repositories that they led to.
  /// - Parameter repository: the repository that is there now, if its ID can be read.
  /// - Returns: true if there was anything to forget.
  package func forget(_ places: [String], _ repository: Identifier?, files: FileSystem) throws -> Bool {
    guard let directory, let folder = try MemoryFolder(directory, files: files) else { return false }
    var isForgotten = false
    try folder.whileLocked { folder in
      let repositories =
        places.compactMap { folder.valueIfReadable(Place.self, of: .location($0))?.repository }
        + [repository].compactMap { $0 }
      for file in Set(places.map { MemoryFile.location($0) } + repositories.map { .repository($0) }) {
        try folder.removeKinds(of: file)
        if try folder.remove(file) { isForgotten = true }
      }
    }
    return isForgotten
  }
}
