internal import FoundationEssentials
internal import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// What this machine remembers of the sealed repositories that it has used, so that nobody can put another one in the place of one, take
/// back a revocation, or lose the newest snapshots, without being noticed. A file for each place, written at first use.
package struct ClientMemory: Sendable {
  private let directory: Path?

  /// - Parameter directory: `nil` for none.
  package init(directory: Path?) {
    self.directory = directory
  }

  package static let none = ClientMemory(directory: nil)

  /// Of one repository.
  struct Record: Hashable, Codable {
    struct Head: Hashable, Codable {
      var sequence: UInt64
      var digest: Digest
      /// Where the source lay, when this machine took the snapshot.
      var path: String?
    }

    var location: String
    var repository: Identifier
    var keyring: Envelope.KeyringReference
    /// The newest snapshot that was seen, by source.
    var heads: [String: Head]
    /// The newest revision of the notes that was seen, by source.
    var notes: [String: Envelope.KeyringReference]?

    /// The newest that either has seen: what a long run saw at its beginning takes nothing back.
    func merged(with other: Record) -> Record {
      guard other.repository == repository else { return self }
      var merged = self
      if other.keyring.revision > keyring.revision { merged.keyring = other.keyring }
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

  private func path(_ location: String, kind: String? = nil) -> Path? {
    let name = Hasher.digest(Array(location.utf8)).description.prefix(32)
    return directory?.appending(name + (kind.map { "-" + $0 } ?? "") + ".json")
  }

  func load(_ location: String, files: FileSystem) throws -> Record? {
    guard let path = path(location) else { return nil }
    let bytes: [UInt8]
    do throws(SystemError) {
      let file = try files.open(path, .read)
      bytes = try file.contents(max: Limits.envelopeBytesMax)
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
    guard let record = try? JSONDecoder().decode(Record.self, from: Data(bytes)), record.location == location else {
      throw EngineError(
        "\(path), what this machine remembers of \(location), is damaged",
        hint: "Compare `holdfast key list` with what you have written down, then run `holdfast key forget`.")
    }
    return record
  }

  /// Replaces the record by what comes of it and of what other runs have recorded meanwhile; nothing where there is no directory.
  func store(_ record: Record, files: FileSystem) throws {
    guard let directory, let path = path(record.location) else {
      throw EngineError("there is no directory for it", hint: nil)
    }
    try files.makeDirectories(directory)
    let folder = try files.open(directory, .directoryFollowingLinks)
    // Gone with the descriptor. Two runs at once must not take each other's file for what a killed one left.
    guard try folder.lock(exclusively: true, wait: true) else { return }
    let known = try load(record.location, files: files)
    let record = known.map { record.merged(with: $0) } ?? record
    guard record != known else { return }
    try replace(path, by: record, files: files)
    try folder.synchronizeDirectory()
  }

  /// Puts a file into the place of another. Under the lock of its directory.
  private func replace(_ path: Path, by value: some Encodable, files: FileSystem) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let bytes = Array(try encoder.encode(value))
    let temporary = Path(bytes: path.bytes + Array(".unfinished".utf8))
    if try files.statusIfPresent(of: temporary) != nil { try files.removeFile(temporary) }
    let file = try files.open(temporary, .create)
    do {
      try bytes.withUnsafeBytes { try file.write($0, at: 0) }
      try file.synchronize()
      try files.rename(temporary, to: path, replacing: true)
    } catch {
      try? files.removeFile(temporary)
      throw error
    }
  }

  /// Changes what this machine remembers of how long snapshots have been removed; nothing where there is no directory, which is thrown.
  func changeWaiting(at location: String, files: FileSystem, _ change: (inout WaitingRecord) -> Void) throws {
    guard let directory, let path = path(location, kind: "removed") else {
      throw EngineError("there is no directory for it", hint: nil)
    }
    try files.makeDirectories(directory)
    let folder = try files.open(directory, .directoryFollowingLinks)
    guard try folder.lock(exclusively: true, wait: true) else { return }
    var record = loadWaiting(at: location, files: files)
    let known = record
    change(&record)
    guard record != known else { return }
    try replace(path, by: record, files: files)
    try folder.synchronizeDirectory()
  }

  /// An empty record where there is none that can be read: then waiting begins anew.
  func loadWaiting(at location: String, files: FileSystem) -> WaitingRecord {
    guard let path = path(location, kind: "removed"), let file = try? files.open(path, .read),
      let bytes = try? file.contents(max: Limits.envelopeBytesMax),
      let record = try? JSONDecoder().decode(WaitingRecord.self, from: Data(bytes)), record.location == location
    else { return WaitingRecord(location: location) }
    return record
  }

  /// Changes what this machine remembers of its proofs; nothing where there is no directory, which is thrown.
  func changeProofs(at location: String, files: FileSystem, _ change: (inout ProofRecord) -> Void) throws {
    guard let directory, let path = path(location, kind: "proved") else {
      throw EngineError("there is no directory for it", hint: nil)
    }
    try files.makeDirectories(directory)
    let folder = try files.open(directory, .directoryFollowingLinks)
    guard try folder.lock(exclusively: true, wait: true) else { return }
    var record = loadProofs(at: location, files: files)
    change(&record)
    try replace(path, by: record, files: files)
    try folder.synchronizeDirectory()
  }

  /// An empty record where there is none that can be read: then proofs begin anew.
  func loadProofs(at location: String, files: FileSystem) -> ProofRecord {
    guard let path = path(location, kind: "proved"), let file = try? files.open(path, .read),
      let bytes = try? file.contents(max: Limits.envelopeBytesMax),
      let record = try? JSONDecoder().decode(ProofRecord.self, from: Data(bytes)), record.location == location
    else { return ProofRecord(location: location) }
    return record
  }

  /// Drops what is remembered of a place.
  /// - Returns: whether there was anything.
  package func forget(_ location: String, files: FileSystem) throws -> Bool {
    for kind in ["removed", "proved"] {
      guard let path = path(location, kind: kind), try files.statusIfPresent(of: path) != nil else { continue }
      try files.removeFile(path)
    }
    guard let path = path(location), try files.statusIfPresent(of: path) != nil else { return false }
    try files.removeFile(path)
    return true
  }
}

/// What is remembered of the repository that a run works on; kept up to date as the run sees more.
final class RepositoryMemory: Sendable {
  private let memory: ClientMemory
  private let files: FileSystem
  private let record: Mutex<ClientMemory.Record>
  private let failure = Mutex<String?>(nil)

  /// Why something that was seen could not be remembered.
  var problem: String? { failure.withLock { $0 } }

  /// Checks the repository against what is remembered of its place.
  /// - Parameter known: as it was before the keyring was read: another run may have seen a later one since.
  /// - Returns: `nil` for a repository that is not sealed, where none was.
  /// - Throws: `EngineError` when it is not the one that was seen there before.
  static func check(
    _ descriptor: Descriptor, _ history: [KeyringRevision], at location: String, known: ClientMemory.Record?,
    memory: ClientMemory, files: FileSystem
  ) throws -> RepositoryMemory? {
    guard let newest = history.last else {
      if known != nil { throw refusal(location, "it is not sealed, and it was when this machine last used it") }
      return nil
    }
    if let known {
      guard known.repository == descriptor.repository else {
        throw refusal(location, "it has another ID than the one that this machine knows there")
      }
      guard history.contains(where: { $0.reference == known.keyring }) else {
        throw refusal(
          location, "its keyring lacks revision \(known.keyring.revision), which this machine has seen")
      }
    }
    var record =
      known
      ?? ClientMemory.Record(
        location: location, repository: descriptor.repository, keyring: newest.reference, heads: [:])
    record.keyring = newest.reference
    let result = RepositoryMemory(memory: memory, files: files, record: record)
    if record != known { result.save(record) }
    return result
  }

  private static func refusal(_ location: String, _ finding: String) -> EngineError {
    EngineError(
      "the repository in \(location) is not the one that was there: \(finding)",
      hint:
        "Somebody may have exchanged it or put back an old copy. Find out; only if that was meant, run `holdfast key forget`.",
      exitStatus: .dataLoss)
  }

  private init(memory: ClientMemory, files: FileSystem, record: ClientMemory.Record) {
    self.memory = memory
    self.files = files
    self.record = Mutex(record)
  }

  /// All that snapshots were seen of.
  var sources: [SourceName] { record.withLock { $0.heads.keys.compactMap { SourceName($0) } } }

  func head(of source: SourceName) -> ClientMemory.Record.Head? {
    record.withLock { $0.heads[source.text] }
  }

  /// What the snapshots of a source lack of what was seen of them; and remembers the newest.
  /// - Parameters:
  ///   - snapshots: all that count, in ascending order.
  ///   - damaged: the keys of manifests that cannot be read: they are there.
  func check(_ snapshots: [Snapshot], of source: SourceName, damaged: Set<String>) -> DamageError? {
    if let head = head(of: source) {
      let key = Keys.manifest(source, head.sequence)
      let found = snapshots.last { $0.sequence == head.sequence }
      if let found, found.digest != head.digest {
        return DamageError(key, "it is another snapshot than the one that this machine has seen under this number")
      }
      if found == nil, !damaged.contains(key), (snapshots.last?.sequence ?? 0) < head.sequence {
        return DamageError(
          key,
          "it is missing, and this machine has seen it: the repository was put back, or has lost its newest snapshots")
      }
    }
    if let newest = snapshots.last { remember(newest, path: nil) }
    return nil
  }

  /// What the notes on a source lack of what was seen of them; and remembers the newest.
  /// - Parameter highest: the highest number that is there, whether it can be read or not.
  func check(_ revision: NotesRevision?, highest: UInt64, of source: SourceName) -> DamageError? {
    if let seen = record.withLock({ $0.notes?[source.text] }) {
      let key = Keys.notes(source, seen.revision)
      if let revision, revision.notes.revision == seen.revision, revision.digest != seen.digest {
        return DamageError(key, "it is another revision of the notes than this machine has seen under this number")
      }
      if highest < seen.revision {
        return DamageError(key, "it is missing, and this machine has seen it: the repository was put back")
      }
    }
    if let revision { remember(revision) }
    return nil
  }

  /// The highest revision of the notes that was seen.
  func highestNotes(of source: SourceName) -> UInt64 { record.withLock { $0.notes?[source.text]?.revision ?? 0 } }

  func remember(_ revision: NotesRevision) {
    let changed: ClientMemory.Record? = record.withLock { record in
      let reference = Envelope.KeyringReference(revision: revision.notes.revision, digest: revision.digest)
      let known = record.notes?[revision.notes.source.text]
      if let known, known.revision >= reference.revision { return nil }
      record.notes = (record.notes ?? [:]).merging([revision.notes.source.text: reference]) { $1 }
      return record
    }
    if let changed { save(changed) }
  }

  /// A revision that this run has made: nobody shall take it back.
  func remember(_ revision: KeyringRevision) {
    let changed = record.withLock { record in
      record.keyring = revision.reference
      return record
    }
    save(changed)
  }

  /// - Parameter path: of the source, where this run took the snapshot.
  func remember(_ snapshot: Snapshot, path: Path?) {
    let changed: ClientMemory.Record? = record.withLock { record in
      let known = record.heads[snapshot.sourceName.text]
      if path == nil, let known, known.sequence >= snapshot.sequence { return nil }
      record.heads[snapshot.sourceName.text] = ClientMemory.Record.Head(
        sequence: snapshot.sequence, digest: snapshot.digest, path: path?.description ?? known?.path)
      return record
    }
    if let changed { save(changed) }
  }

  /// A disk that is full keeps nobody from restoring: what was remembered before still counts.
  private func save(_ record: ClientMemory.Record) {
    do {
      try memory.store(record, files: files)
    } catch {
      let reason = (error as? any OperatorError)?.message ?? "\(error)"
      failure.withLock { $0 = reason }
    }
  }
}
