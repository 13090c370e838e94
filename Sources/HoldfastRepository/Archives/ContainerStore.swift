package import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem

/// Begins, opens and looks for the bodies and archives of snapshots, and the files of archived log.
package struct ContainerStore: Sendable {
  var store: any Store
  let repository: Identifier
  let sealed: SealedAccess?
  var host: Host
  /// For data that is too large for memory.
  package let scratch: ScratchSpace
  /// True if sealed objects are not opened, because there is no identity and only stored bytes are verified.
  package var isClosed = false
  /// True if damaged containers are read with their parity.
  private var usesParity = true
  /// The containers whose parity had to give back something.
  package let parityUses = ParityUses()

  init(in store: any Store, of repository: Identifier, _ sealed: SealedAccess?, host: Host) {
    (self.store, self.repository, self.sealed, self.host) = (store, repository, sealed, host)
    scratch = ScratchSpace(host: host, isSealed: sealed != nil)
  }

  /// The same store, in which sealed objects are not opened.
  package var closed: ContainerStore {
    var closed = self
    closed.isClosed = true
    return closed
  }

  /// The same store, in which a damaged container is not read with its parity.
  package var asStored: ContainerStore {
    var stored = self
    stored.usesParity = false
    return stored
  }

  /// True if reading has no latency.
  var isNear: Bool { store.capabilities.isNear }

  // MARK: Opening

  /// The access with which containers are read.
  package var access: ContainerAccess {
    guard let sealed else { return .unsealed }
    if isClosed { return .closed }
    return .opening { try sealed.key(of: $0, slots: $1) }
  }

  /// - Parameter isReadWhole: true if all of it will be read, perhaps several times.
  package func openBody(of snapshot: Snapshot, isReadWhole: Bool = false) throws -> ContainerReader {
    let body = snapshot.envelope.body
    return try open(
      .body, Keys.body(snapshot.sourceName, snapshot.sequence, body.id), body, isReadWhole: isReadWhole)
  }

  package func openArchive(_ archive: Envelope.Archive, of source: SourceName) throws -> ContainerReader {
    try open(.archive, Keys.archive(source, archive.sequence, archive.id), archive.reference)
  }

  /// A container that will be read as a whole is fetched with one request if it is not longer than this.
  private static let fetchedWholeMax: UInt64 = 8 << 20

  /// Opens an object whose length is in a manifest.
  /// - Parameters:
  ///   - isReadWhole: true if all of its frames will be read.
  ///   - isAnew: true if it is opened in the store itself, because neither what this run remembers nor what other
  ///     targets have proves anything about it.
  /// - Throws: `DamageError` when the object is not as recorded.
  package func open(
    _ kind: ContainerKind, _ key: String, _ reference: ObjectReference, isReadWhole: Bool = false,
    isAnew: Bool = false
  ) throws -> ContainerReader {
    try store.recorded(key) {
      let isFetched = isReadWhole && !isNear && reference.length <= Self.fetchedWholeMax
      func stored() throws -> any ReadableBytes {
        let object = isAnew ? try store.openAnew(key) : try store.open(key, length: reference.length)
        return isFetched ? try FetchedObject(object, max: Int(Self.fetchedWholeMax)) : object
      }
      let object: any ReadableBytes =
        try usesParity ? RepairableObject(key, reference, in: store, parityUses, stored) : stored()
      let reader = try ContainerReader(
        object, kind: kind, repository: repository, reference: reference, access: access)
      // The reader of a body announces its frames itself.
      if isReadWhole, !isFetched, kind != .body { reader.expect(0..<UInt32(clamping: reader.frames.count)) }
      return reader
    }
  }

  /// Returns the origin of a snapshot; `nil` when it is sealed and there is no identity.
  package func sourceOrigin(of snapshot: Snapshot) throws -> SourceOrigin? {
    guard let sealed else { return SourceOrigin(recorded: snapshot.envelope.source.path) }
    guard try !sealed.identities().isEmpty else { return nil }
    let text = String(decoding: try openBody(of: snapshot).label(), as: UTF8.self)
    return text.unicodeScalars.allSatisfy(Path.isPrintable) ? SourceOrigin(recorded: text) : nil
  }

  // MARK: Beginning

  /// Begins an archive or a body with a new ID and, in a sealed repository, a new key.
  /// - Parameter parity: the parity with which it is written; `nil` for none.
  package func makeHead(
    _ kind: ContainerKind, label: [UInt8], parity: ParityCode? = nil
  ) throws -> ContainerHead {
    let name = ContainerName(kind: kind, repository: repository, id: host.random.identifier())
    guard let sealed else { return ContainerHead(name, parity: parity) }
    let head = try ContainerHead(
      name, recipients: sealed.keyring.recipients.map(\.recipient), label: label, parity: parity)
    if kind == .body { sealed.remember(head) }
    return head
  }

  // MARK: Presence

  /// Checks that all objects of a chain exist with their recorded lengths.
  /// - Throws: `DamageError` for the first that does not.
  package func checkPresence(of chain: Chain, _ scope: PresenceScope = .home) throws {
    try checkPresence(of: chain.snapshots.lazy.flatMap(\.objects), scope)
  }

  /// Checks that the objects of one snapshot exist with their recorded lengths.
  package func checkPresence(of snapshot: Snapshot, _ scope: PresenceScope = .home) throws {
    try checkPresence(of: snapshot.objects, scope)
  }

  /// Checks that an object exists and is as long as recorded, without reading it.
  package func checkPresence(_ key: String, length: UInt64) throws {
    try checkPresence(of: CollectionOfOne(RecordedObject(key: key, length: length)))
  }

  /// Checks that archives can be read, before a command begins that would find it out only late.
  /// - Throws: `FrozenArchives` when the provider must thaw some of them.
  package func checkReadable(_ keys: @autoclosure () throws -> [String]) throws {
    guard !isNear else { return }
    let archives = try keys()
    let cold = zip(archives, try store.find(archives)).filter { if case .cold = $1 { true } else { false } }
    let frozen = try cold.isEmpty ? [] : store.frozen(cold.map(\.0))
    if !frozen.isEmpty { throw FrozenArchives(frozen, location: store.location) }
  }

  package func checkPresence(of objects: some Sequence<RecordedObject>, _ scope: PresenceScope = .home) throws {
    var check = PresenceCheck<Void>(in: store, scope)
    func report(_ finding: PresenceCheck<Void>.Finding?) throws {
      if let finding { throw DamageError(finding.object.key, finding.description) }
    }
    for object in objects { try report(check.add(object, of: ())) }
    try report(check.finish())
  }
}

/// A container that was fetched with one request.
private struct FetchedObject: ReadableBytes {
  private let bytes: MemoryBytes
  private let object: any ReadableBytes

  init(_ object: any ReadableBytes, max: Int) throws {
    bytes = MemoryBytes(try object.contents(max: max), name: object.name)
    self.object = object
  }

  var length: UInt64 { bytes.length }
  var name: String { bytes.name }
  var copies: [any ReadableBytes] { object.copies }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try bytes.read(into: buffer, at: offset)
  }
}
