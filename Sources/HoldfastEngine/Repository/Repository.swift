package import HoldfastArchive
package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem

/// A repository on one target: its descriptor and the snapshots in it.
package struct Repository: Sendable {
  package let store: any Store
  package let descriptor: Descriptor
  package let host: Host

  package var id: Identifier { descriptor.repository }
  /// Where it is, for people.
  package var location: String { store.location }

  /// Makes a new repository. The target may hold nothing yet.
  package static func create(in store: any Store, host: Host) throws -> Repository {
    // A new file system is not empty either.
    if try store.names(below: "") != [], try store.names(below: "") != ["lost+found/"] {
      let isRepository = (try? store.open(Keys.descriptor)) != nil
      throw EngineError(
        isRepository ? "\(store.location) is a repository already" : "\(store.location) is not empty",
        hint: isRepository
          ? "Run `holdfast list` to see what is in it." : "Name a directory that is empty or does not exist.")
    }
    let descriptor = Descriptor(repository: host.random.identifier(), created: TimeText.utc(host.clock.now()))
    let writer = try store.create(Keys.descriptor)
    try descriptor.serialized().withUnsafeBytes { try writer.append($0) }
    try writer.commit()
    return Repository(store: store, descriptor: descriptor, host: host)
  }

  /// - Throws: with exit status 10 when there is no repository.
  package static func open(_ store: any Store, host: Host) throws -> Repository {
    let object: any ReadableBytes
    do {
      object = try store.open(Keys.descriptor)
    } catch StoreError.notFound {
      if try !store.names(below: Keys.sources).isEmpty {
        throw DamageError(Keys.descriptor, "it is missing, though there are snapshots in \(store.location)")
      }
      throw EngineError(
        "there is no repository in \(store.location)",
        hint:
          "Is its disk mounted? If it is new, run `holdfast init --repository \(store.location)`; else name another place with --repository.",
        exitStatus: .noRepository)
    }
    let descriptor = try Descriptor(parsing: object.contents(max: Limits.envelopeBytesMax), name: Keys.descriptor)
    return Repository(store: store, descriptor: descriptor, host: host)
  }

  // MARK: Snapshots

  /// The names of all sources, in ascending order.
  package func sourceNames() throws -> [SourceName] {
    try store.names(below: Keys.sources).compactMap { $0.hasSuffix("/") ? SourceName(String($0.dropLast())) : nil }
  }

  /// The sequence numbers for which there is a directory, in ascending order; committed or not.
  func sequences(of source: SourceName) throws -> [UInt64] {
    try store.names(below: Keys.source(source)).compactMap { $0.hasSuffix("/") ? Keys.sequence($0.dropLast()) : nil }
      .sorted()
  }

  /// `nil` when there is no such snapshot: never committed.
  package func snapshotIfCommitted(_ source: SourceName, _ sequence: UInt64) throws -> Snapshot? {
    let key = Keys.manifest(source, sequence)
    let object: any ReadableBytes
    do {
      object = try store.open(key)
    } catch StoreError.notFound {
      return nil
    }
    let snapshot = try Snapshot(parsing: object.contents(max: Limits.envelopeBytesMax), name: key)
    guard snapshot.sourceName == source, snapshot.sequence == sequence else {
      throw DamageError(key, "it belongs to \(snapshot.sourceName)/\(snapshot.sequence)")
    }
    guard snapshot.envelope.repository == id else { throw DamageError(key, "it belongs to another repository") }
    return snapshot
  }

  /// All snapshots of a source in ascending order; a damaged envelope stands as its error.
  package func snapshots(of source: SourceName) throws -> [Result<Snapshot, DamageError>] {
    try sequences(of: source).compactMap { sequence in
      do {
        return try snapshotIfCommitted(source, sequence).map { .success($0) }
      } catch let error as DamageError {
        return .failure(error)
      }
    }
  }

  /// All snapshots of all sources, or of one. Damaged envelopes are handed to `onDamage`.
  /// - Throws: when there is no source of that name: a name mistyped is not an empty history.
  package func allSnapshots(of name: SourceName? = nil, onDamage: (DamageError) -> Void) throws -> [Snapshot] {
    if let name, try !sourceNames().contains(name) {
      throw EngineError(
        "there is no source \(name) in \(location)", hint: "Run `holdfast list` to see all sources.")
    }
    let names = try name.map { [$0] } ?? sourceNames()
    return try names.flatMap { name in
      try snapshots(of: name).compactMap { result in
        switch result {
        case .success(let snapshot): return snapshot
        case .failure(let damage):
          onDamage(damage)
          return nil
        }
      }
    }
  }

  // MARK: Objects

  func openBody(of snapshot: Snapshot) throws -> ContainerReader {
    let envelope = snapshot.envelope
    let object = try openObject(Keys.body(snapshot.sourceName, snapshot.sequence, envelope.body.id))
    return try ContainerReader(object, kind: .body, repository: id, reference: envelope.body)
  }

  func openArchive(_ archive: Envelope.Archive, of source: SourceName) throws -> ContainerReader {
    let object = try openObject(Keys.archive(source, archive.sequence, archive.id))
    return try ContainerReader(object, kind: .archive, repository: id, reference: archive.reference)
  }

  /// Checks that an object is there and as long as recorded, without reading it.
  func checkPresence(_ key: String, length: UInt64) throws {
    let found = try openObject(key).length
    guard found == length else { throw DamageError(key, "it has \(found) bytes instead of \(length)") }
  }

  private func openObject(_ key: String) throws -> any ReadableBytes {
    do {
      return try store.open(key)
    } catch StoreError.notFound {
      throw DamageError(key, "it is missing")
    }
  }
}

extension ReadableBytes {
  /// All bytes; at most `max` of them.
  func contents(max: Int) throws -> [UInt8] {
    guard length <= UInt64(max) else { throw DamageError(name, "it is too long") }
    var bytes = [UInt8](repeating: 0, count: Int(length))
    try bytes.withUnsafeMutableBytes { try read(into: $0, at: 0) }
    return bytes
  }
}
