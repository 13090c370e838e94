internal import FoundationEssentials
internal import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
internal import HoldfastStore
package import HoldfastSystem

/// What this machine remembers of the repositories that it has used, so that an exchanged repository, an undone
/// revocation, or lost newest snapshots are noticed. It is kept by the repository's ID; for each name of a sealed
/// repository, the ID that it led to.
///
/// `repository-ID.json`, `repository-ID-removed.json` and `repository-ID-proved.json` belong to one repository,
/// `DIGEST.json` to one name. Earlier versions kept everything by name: this still counts, and moves when something is
/// written.
package struct ClientMemory: Sendable {
  private let directory: Path?

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

    /// The newest values of both: what a long run saw at its beginning replaces nothing newer.
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
    /// What earlier versions remembered of the repository here.
    var keyring: Envelope.KeyringReference?
    var heads: [String: Record.Head]?
    var notes: [String: Envelope.KeyringReference]?

    var record: Record? {
      guard let keyring, let heads else { return nil }
      return Record(repository: repository, keyring: keyring, heads: heads, notes: notes)
    }
  }

  /// What is known of a repository, found by its ID and its names.
  struct Known {
    /// `nil` when this machine sees the repository for the first time, or it was never sealed.
    var record: Record?
    /// A name that led to another repository.
    var stranger: String?
    /// Whether every name is known to lead to this repository, and everything is where this version keeps it.
    var isComplete = true

    static let nothing = Known(isComplete: false)
  }

  // MARK: Repositories and names

  /// - Parameter places: the names by which it is reached now.
  func load(_ repository: Identifier, at places: [String], files: FileSystem) throws -> Known {
    do {
      guard let directory, let folder = try OwnDirectory(directory, files: files) else { return .nothing }
      return try load(repository, at: places, in: folder, directory)
    } catch is OwnDirectoryError {
      // Files that others may have written do not count. That nothing can be remembered there is reported when it is
      // tried.
      return .nothing
    }
  }

  private func load(
    _ repository: Identifier, at places: [String], in folder: OwnDirectory, _ directory: Path
  ) throws -> Known {
    var known = Known()
    known.record = try read(Record.self, Self.name(repository), of: places.last ?? "", in: folder, directory) {
      $0.repository == repository
    }
    for location in places {
      let place = try read(Place.self, Self.name(location), of: location, in: folder, directory) {
        $0.location == location
      }
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

  /// - Parameters:
  ///   - location: the location that the file is about, for messages.
  ///   - isSound: whether the contents fit the file.
  private func read<Value: Decodable>(
    _ type: Value.Type, _ name: String, of location: String, in folder: OwnDirectory, _ directory: Path,
    _ isSound: (Value) -> Bool
  ) throws -> Value? {
    guard let bytes = try folder.contents(of: name, max: Limits.envelopeBytesMax) else { return nil }
    guard let value = try? JSONDecoder().decode(type, from: Data(bytes)), isSound(value) else {
      throw EngineError(
        "\(directory.appending(name)), what this machine remembers of \(location), is damaged",
        hint: "Compare `holdfast key list` with what you have written down, then run `holdfast key forget`.",
        scope: .machine)
    }
    return value
  }

  /// Merges the record with what other runs have recorded meanwhile, and writes it and the names.
  func store(_ record: Record, at places: [String], files: FileSystem) throws {
    guard let directory else { throw EngineError("there is no directory for it", hint: nil, scope: .machine) }
    try Self.whileLocked(OwnDirectory(making: directory, files: files)) { folder in
      let known = try load(record.repository, at: places, in: folder, directory)
      let record = known.record.map { record.merged(with: $0) } ?? record
      guard record != known.record || !known.isComplete else { return }
      // The names come last, because this drops what an earlier version kept there.
      try folder.replace(Self.name(record.repository), by: Self.encoded(record))
      guard !known.isComplete else { return }
      for location in places where location != known.stranger {
        let place = Place(location: location, repository: record.repository)
        try folder.replace(Self.name(location), by: Self.encoded(place))
      }
    }
  }

  /// Forgets which repository some names led to, before a new one is made there.
  func release(_ places: [String], files: FileSystem) throws {
    guard let directory, let found = try? OwnDirectory(directory, files: files) else { return }
    try Self.whileLocked(found) { folder in
      for location in places {
        if let place = Self.place(location, in: folder), let earlier = place.record {
          try keep(earlier, in: folder)
        }
        try folder.remove(Self.name(location))
      }
    }
  }

  private func keep(_ earlier: Record, in folder: OwnDirectory) throws {
    let name = Self.name(earlier.repository)
    let known = Self.decoded(Record.self, name, in: folder)
    try folder.replace(name, by: Self.encoded(known?.merged(with: earlier) ?? earlier))
  }

  /// Forgets some names and the repositories that they led to.
  /// - Parameter repository: the one that is there now, if that can be told.
  /// - Returns: whether there was anything to forget.
  package func forget(_ places: [String], _ repository: Identifier?, files: FileSystem) throws -> Bool {
    guard let directory, let found = try OwnDirectory(directory, files: files) else { return false }
    var isForgotten = false
    try Self.whileLocked(found) { folder in
      let repositories = places.compactMap { Self.place($0, in: folder)?.repository } + [repository].compactMap { $0 }
      let records = Set(places.map { Self.stem($0) } + repositories.map { Self.stem($0) })
      for stem in records {
        for name in try folder.names(beginningWith: stem + "-") { try folder.remove(name) }
        if try folder.remove(stem + ".json") { isForgotten = true }
      }
    }
    return isForgotten
  }

  private static func place(_ location: String, in folder: OwnDirectory) -> Place? {
    decoded(Place.self, name(location), in: folder)
  }

  // MARK: Files

  /// Keeps two runs from taking each other's unfinished files for leftovers.
  private static func whileLocked(_ folder: OwnDirectory, _ body: (OwnDirectory) throws -> Void) throws {
    // The lock is on a descriptor of its own, so that it is released at the end.
    guard try folder.directory.lock(exclusively: true, wait: true) else { return }
    try body(folder)
  }

  /// The beginning of the names of all files about a repository.
  private static func stem(_ repository: Identifier) -> String { "repository-\(repository)" }

  /// The beginning of the names of all files about a location.
  private static func stem(_ location: String) -> String {
    String(Hasher.digest(Array(location.utf8)).description.prefix(32))
  }

  private static func name(_ repository: Identifier, _ kind: String? = nil) -> String {
    stem(repository) + (kind.map { "-" + $0 } ?? "") + ".json"
  }

  private static func name(_ location: String, _ kind: String? = nil) -> String {
    stem(location) + (kind.map { "-" + $0 } ?? "") + ".json"
  }

  private static func encoded(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value))
  }
}

/// A record that a machine keeps of a repository, beside what it has seen: how long snapshots have been removed, and
/// what was verified here.
package protocol MachineRecord: Codable, Equatable {
  /// A part of the file name.
  static var kind: String { get }
  /// `nil` in a record that an earlier version kept by name.
  var repository: Identifier? { get set }
  init()
}

extension ClientMemory {
  private struct EarlierPlace: Decodable {
    let location: String
  }

  /// Changes one of these records.
  /// - Throws: also when there is no directory to keep it in.
  package func change<Kept: MachineRecord>(
    _ type: Kept.Type, of repository: Repository, _ change: (inout Kept) -> Void
  ) throws {
    guard let directory else { throw EngineError("there is no directory for it", hint: nil, scope: .machine) }
    try Self.whileLocked(OwnDirectory(making: directory, files: repository.host.files)) { folder in
      var record = Self.load(type, of: repository, in: folder)
      let known = record
      change(&record)
      if record != known || (known.repository == nil && known != Kept()) {
        record.repository = repository.id
        try folder.replace(Self.name(repository.id, Kept.kind), by: Self.encoded(record))
      }
      for place in repository.store.places { try folder.remove(Self.name(place, Kept.kind)) }
    }
  }

  /// An empty record when there is none that can be read: counting then begins again.
  package func load<Kept: MachineRecord>(_ type: Kept.Type, of repository: Repository) -> Kept {
    let folder = directory.flatMap { try? OwnDirectory($0, files: repository.host.files) }
    return folder.map { Self.load(type, of: repository, in: $0) } ?? Kept()
  }

  private static func load<Kept: MachineRecord>(
    _ type: Kept.Type, of repository: Repository, in folder: OwnDirectory
  ) -> Kept {
    if let record = decoded(type, name(repository.id, Kept.kind), in: folder), record.repository == repository.id {
      return record
    }
    for place in repository.store.places.reversed() {
      let name = name(place, Kept.kind)
      if decoded(EarlierPlace.self, name, in: folder)?.location == place, let record = decoded(type, name, in: folder) {
        return record
      }
    }
    return Kept()
  }

  private static func decoded<Value: Decodable>(
    _ type: Value.Type, _ name: String, in folder: OwnDirectory
  ) -> Value? {
    let bytes = (try? folder.contents(of: name, max: Limits.envelopeBytesMax)) ?? nil
    return bytes.flatMap { try? JSONDecoder().decode(type, from: Data($0)) }
  }
}
