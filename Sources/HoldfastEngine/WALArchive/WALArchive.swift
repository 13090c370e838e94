package import HoldfastArchive
internal import HoldfastCodec
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// The archived WAL of one source. It needs no lock: a file appears with its manifest, and never changes. A damaged
/// file is archived again beside the first; the first sound copy counts.
package struct WALArchive: Sendable {
  let repository: Repository
  package let source: SourceName

  package init(_ repository: Repository, of source: SourceName) {
    self.repository = repository
    self.source = source
  }

  // MARK: Listing

  /// Returns the clusters whose WAL is archived, in ascending order.
  package func systems() throws -> [SystemIdentifier] {
    try repository.store.children(of: Keys.wal(source)).compactMap {
      $0.hasSuffix("/") ? SystemIdentifier(String($0.dropLast())) : nil
    }.sorted()
  }

  /// Returns the names of all archived files of a cluster, sound or not, in ascending order.
  package func files(of system: SystemIdentifier) throws -> [WALFileName] {
    let directories = try repository.store.children(of: Keys.wal(source, system)).compactMap {
      $0.hasSuffix("/") ? String($0.dropLast()) : nil
    }
    return try directories.flatMap { try files(of: system, in: $0) }
  }

  func files(of system: SystemIdentifier, in directory: String) throws -> [WALFileName] {
    try copies(of: system, in: directory).keys.sorted { $0.text < $1.text }
  }

  /// Returns the numbers of the copies of each file, in ascending order.
  func copies(of system: SystemIdentifier, in directory: String) throws -> [WALFileName: [UInt64]] {
    var found: [WALFileName: [UInt64]] = [:]
    for name in try repository.store.children(of: Keys.wal(source, system, directory)) {
      if let (file, copy) = Keys.walFile(name, in: directory) { found[file, default: []].append(copy) }
    }
    return found.mapValues { $0.sorted() }
  }

  /// Returns an archived file; `nil` if it is not archived.
  /// - Throws: `DamageError` if every copy has a damaged manifest, a signer without the right, or no object.
  package func find(_ file: WALFileName, of system: SystemIdentifier) throws -> ArchivedWAL? {
    try firstSound(of: file, system) { archived in
      try repository.containers.checkPresence(archived.manifest.objectKey, length: archived.manifest.object.length)
      return archived
    }
  }

  /// Tries the copies of a file in order, until `body` succeeds with one.
  /// - Returns: the result of `body`; `nil` if the file is not archived.
  /// - Throws: the error of the first copy if none is sound.
  func firstSound<Value>(
    of file: WALFileName, _ system: SystemIdentifier, _ body: (ArchivedWAL) throws -> Value
  ) throws -> Value? {
    var damage: (any Error)?
    func attempt(_ copy: UInt64) throws -> Value? {
      do {
        return try find(file, of: system, copy: copy).map(body)
      } catch  where error.isDamage {
        damage = damage ?? error
        return nil
      }
    }
    // Nearly every file has one copy. If that is sound, the directory need not be listed.
    if file.kind != .unfinishedSegment, let value = try attempt(1) { return value }
    let listed = try copies(of: system, in: file.directory)[file] ?? []
    for copy in try order(listed, file, system) {
      if copy == 1, damage != nil { continue }
      if let value = try attempt(copy) { return value }
    }
    if let damage { throw damage }
    // A server that recovers takes a missing file for the end of the log. A file that is listed is not missing, unless
    // a prune has just removed it.
    if !listed.isEmpty, try copies(of: system, in: file.directory)[file] != nil {
      throw DamageError(
        Keys.walManifest(source, system, file), "\(repository.location) lists it, and answers that it is not there")
    }
    return nil
  }

  /// Returns copies in the order in which they count. Copies of one file are equal, except for unfinished segments: the
  /// one that reaches furthest comes first.
  private func order(_ copies: [UInt64], _ file: WALFileName, _ system: SystemIdentifier) throws -> [UInt64] {
    guard file.kind == .unfinishedSegment, copies.count > 1 else { return copies }
    // Copies that are damaged, or that cannot be opened here, come last.
    func end(_ copy: UInt64) throws -> LogSequenceNumber {
      do {
        return try find(file, of: system, copy: copy).flatMap { try facts(of: $0).log?.end } ?? LogSequenceNumber(0)
      } catch  where error.isDamage || error is KeyError {
        return LogSequenceNumber(0)
      }
    }
    let ends: [(copy: UInt64, end: LogSequenceNumber)] = try copies.map { ($0, try end($0)) }
    return ends.sorted { left, right in
      left.end == right.end ? left.copy < right.copy : left.end > right.end
    }.map(\.copy)
  }

  /// Returns one copy of a file; `nil` if there is none with this number.
  /// - Throws: `DamageError` if its manifest is damaged, or its signer lacks the right.
  func find(_ file: WALFileName, of system: SystemIdentifier, copy: UInt64) throws -> ArchivedWAL? {
    let key = Keys.walManifest(source, system, file, copy: copy)
    let object: any ReadableBytes
    do {
      object = try repository.store.object(key)
    } catch StoreError.notFound {
      return nil
    }
    return try object.firstSound { try archived(file, of: system, key, in: $0) }
  }

  private func archived(
    _ file: WALFileName, of system: SystemIdentifier, _ key: String, in bytes: any ReadableBytes
  ) throws -> ArchivedWAL {
    let archived = try ArchivedWAL(parsing: bytes.contents(max: Limits.envelopeBytesMax), name: key)
    let manifest = archived.manifest
    guard manifest.source == source, manifest.system == system, manifest.file == file else {
      throw DamageError(key, "it belongs to \(manifest.source)/\(manifest.system)/\(manifest.file)")
    }
    guard manifest.repository == repository.id else { throw DamageError(key, "it belongs to another repository") }
    guard manifest.isSealed == repository.descriptor.isSealed else {
      throw DamageError(
        key, "it is \(manifest.isSealed ? "sealed in an unsealed" : "not sealed in a sealed") repository")
    }
    try checkSigner(of: archived)
    return archived
  }

  private func checkSigner(of archived: ArchivedWAL) throws {
    guard let sealed = repository.keyring.sealed, let signer = archived.manifest.signature?.key else { return }
    if let refusal = sealed.keyring.refusal(of: signer, digest: archived.digest) {
      throw DamageError(archived.key, refusal)
    }
    _ = try sealed.revision(archived.manifest.keyring, of: archived.key)
  }

  /// Returns the digests of all manifests that a writer has signed. They still count when the writer is revoked.
  static func allDigests(in repository: Repository, signedBy key: PublicKey) throws -> [Digest] {
    try repository.catalog.loggedSourceNames().flatMap { source in
      let archive = WALArchive(repository, of: source)
      return try archive.systems().flatMap { system in
        try archive.allCopies(of: system).compactMap { try archive.find($0.file, of: system, copy: $0.copy) }
          .filter { $0.manifest.signature?.key == key }.map(\.digest)
      }
    }
  }

  /// Returns all copies of all files, in ascending order.
  func allCopies(of system: SystemIdentifier) throws -> [(file: WALFileName, copy: UInt64)] {
    let directories = try repository.store.children(of: Keys.wal(source, system)).compactMap {
      $0.hasSuffix("/") ? String($0.dropLast()) : nil
    }
    return try directories.flatMap { directory in
      try copies(of: system, in: directory).sorted { $0.key.text < $1.key.text }.flatMap { file, copies in
        copies.map { (file, $0) }
      }
    }
  }

  // MARK: Contents

  /// - Parameters:
  ///   - isClosed: true if a sealed file is not opened, so that only its stored bytes can be verified.
  ///   - isReadWhole: true if all of it will be read.
  func open(_ archived: ArchivedWAL, isClosed: Bool = false, isReadWhole: Bool = false) throws -> ContainerReader {
    let manifest = archived.manifest
    let containers = isClosed ? repository.containers.closed : repository.containers
    let container = try containers.open(.wal, manifest.objectKey, manifest.object, isReadWhole: isReadWhole)
    let plain = container.frames.dropLast().reduce(UInt64(0)) { $0 + UInt64($1.plainCount) }
    guard !container.frames.isEmpty, plain == manifest.size else {
      throw DamageError(container.name, "its frames do not hold the \(manifest.size) bytes of its manifest")
    }
    return container
  }

  /// Returns the facts about a file, as recorded when it was archived.
  package func facts(of archived: ArchivedWAL) throws -> WALFacts {
    let container = try open(archived)
    return try WALContents(container, cancellation: repository.host.cancellation).facts()
  }

  /// Passes the bytes of a file to `body`, in order. Each block is verified, and at the end the whole file.
  /// - Returns: the facts about the file.
  @discardableResult
  package func read(_ archived: ArchivedWAL, _ body: (UnsafeRawBufferPointer) throws -> Void) throws -> WALFacts {
    let container = try open(archived, isReadWhole: true)
    return try WALContents(container, cancellation: repository.host.cancellation).read(archived.manifest, body)
  }

  /// Verifies all of a copy by reading it; in a sealed repository, only its stored bytes.
  func verify(_ archived: ArchivedWAL) throws {
    guard repository.keyring.isSealed else {
      try read(archived) { _ in }
      return
    }
    let container = try open(archived, isClosed: true, isReadWhole: true)
    try WALContents(container, cancellation: repository.host.cancellation).verifyStored()
  }

  /// Reads a part of a file. Each block is verified.
  func read(_ range: Range<UInt64>, of archived: ArchivedWAL) throws -> [UInt8] {
    let container = try open(archived)
    return try WALContents(container, cancellation: repository.host.cancellation).read(range)
  }
}

/// Reads the frames of an archived file.
struct WALContents {
  private let container: ContainerReader
  private let cancellation: Cancellation
  private let stored: Buffer
  private let plain: Buffer
  private let decompressor = Decompressor()

  init(_ container: ContainerReader, cancellation: Cancellation) {
    self.container = container
    self.cancellation = cancellation
    // The buffers are as large as the index requires: its numbers are within the limits.
    let storedMax = container.frames.map(\.storedCount).max() ?? 0
    stored = Buffer(capacity: ContainerReader.storedCapacity(Int(storedMax)))
    plain = Buffer(capacity: Int(container.frames.map(\.plainCount).max() ?? 0))
  }

  func facts() throws -> WALFacts {
    try readFrame(container.frames.count - 1)
    return try WALFacts(parsing: Array(plain.used), name: container.name)
  }

  func read(_ manifest: WALManifest, _ body: (UnsafeRawBufferPointer) throws -> Void) throws -> WALFacts {
    var hasher = Hasher()
    for number in 0..<container.frames.count - 1 {
      try cancellation.check()
      try readFrame(number)
      hasher.update(plain.used)
      try body(plain.used)
    }
    let facts = try facts()
    let digest = hasher.finish()
    guard digest == facts.digest, manifest.isSealed || digest == manifest.content else {
      throw DamageError(container.name, "the file in it does not have its digest")
    }
    return facts
  }

  func read(_ range: Range<UInt64>) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var start: UInt64 = 0
    for (number, frame) in container.frames.dropLast().enumerated() {
      let end = start + UInt64(frame.plainCount)
      if start < range.upperBound, end > range.lowerBound {
        try readFrame(number)
        let first = max(start, range.lowerBound) - start
        bytes += plain.used[Int(first)..<Int(min(end, range.upperBound) - start)]
      }
      start = end
    }
    return bytes
  }

  /// Verifies the stored bytes of all frames, which needs no key.
  func verifyStored() throws {
    try container.verifyStored(0..<UInt32(container.frames.count)) { _, damage in
      try cancellation.check()
      if let damage { throw damage }
    }
  }

  private func readFrame(_ number: Int) throws {
    try container.readFrame(
      UInt32(number), stored: stored, plain: plain, decompressor: decompressor, verifying: true)
  }
}
