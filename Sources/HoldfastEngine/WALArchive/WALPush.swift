internal import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// Archives one WAL file, as PostgreSQL's `archive_command` asks for it: on return, the file is durable in the
/// repository.
package struct WALPush {
  package struct Options: Sendable {
    /// An absolute path; its last component is the name under which the file is archived.
    package var path: Path
    package var source: SourceName
    /// The directory of the cluster, for a file without log, which does not name its cluster, when the path does not
    /// tell.
    package var clusterDirectory: Path
    package var system: SystemIdentifier?
    package var compression = Compression.standard
    /// Whether a whole segment is archived even if it begins differently from what was archived while it was
    /// unfinished.
    package var replacesUnfinished = false

    package init(path: Path, source: SourceName, clusterDirectory: Path) {
      self.path = path
      self.source = source
      self.clusterDirectory = clusterDirectory
    }
  }

  package struct Report: Sendable {
    /// The name under which it is archived.
    package let file: WALFileName
    package let system: SystemIdentifier
    /// Whether it was already archived with the same bytes, and is sound: then nothing was stored.
    package let isRepeated: Bool
    package let storedBytes: UInt64
    /// Number of damaged copies that this one replaces.
    package let replaced: Int
  }

  /// Number of tries when others were faster, or removed what this push had made.
  private static let triesMax = 20
  private let repository: Repository
  private let archive: WALArchive
  private let options: Options
  private let host: Host

  package init(repository: Repository, options: Options) {
    self.repository = repository
    self.options = options
    archive = WALArchive(repository, of: options.source)
    host = repository.host
  }

  package func run() throws -> Report {
    let writer = try repository.keyring.writer()
    let source = try WALSourceFile(options.path, files: host.files)
    let system = try source.system(options, in: archive, files: host.files)
    let directory = source.name.directory
    // A writer without the right to remove leftovers can push nevertheless.
    try? WALLeftovers(archive).collect(of: system, in: directory)
    // Without this lock, another machine may take this push for a killed one. Then the object is looked for at the end,
    // and made again.
    let hold = try? repository.store.hold(
      Keys.walLock(options.source, system), exclusively: false, cancellation: host.cancellation)
    defer { withExtendedLifetime(hold) {} }
    let found = try WALSurvey.result(of: source, host.cancellation)
    let name = found.isUnfinished ? source.name.unfinished ?? source.name : source.name
    for _ in 0..<Self.triesMax {
      try host.cancellation.check()
      let known = try WALKnownCopies(
        name, source, found, system, in: archive, writer, replacesUnfinished: options.replacesUnfinished)
      if let same = known.same { return try confirm(same, system) }
      if let report = try store(name, found.log, source, system, writer, beside: known) { return report }
      // Another push of the same file was faster, or this one was taken for a killed one: look at what is there.
    }
    throw EngineError(
      "what is made of \(source.name) is removed again and again",
      hint: "Look at who else uses \(repository.location).",
      scope: .transient)
  }

  private func confirm(_ same: ArchivedWAL, _ system: SystemIdentifier) throws -> Report {
    try repository.store.settle(below: Keys.wal(options.source, system, same.file.directory))
    return Report(file: same.file, system: system, isRepeated: true, storedBytes: 0, replaced: 0)
  }

  // MARK: A new file

  /// - Returns: `nil` when another push has taken the number, or what was made is gone.
  private func store(
    _ name: WALFileName, _ log: WALFacts.Log?, _ source: WALSourceFile, _ system: SystemIdentifier,
    _ writer: WriterKey?, beside known: WALKnownCopies
  ) throws -> Report? {
    guard let draft = try makeObject(name, log, source, system, writer) else { return nil }
    let key = Keys.walManifest(options.source, system, name, copy: known.next)
    do {
      try repository.keyring.checkIsNewest(after: "\(name) was archived")
      // What a killed run has made may not be durable yet: nothing is built on it before.
      try repository.store.settle(below: Keys.wal(options.source, system, name.directory))
      let manifest = try draft.serialized(signedBy: writer?.signing)
      try Self.checkIsReadable(name) { _ = try ArchivedWAL(parsing: manifest, name: key) }
      try repository.store.put(manifest, at: key)
    } catch {
      if isOvertaken(error) {
        try? repository.store.remove(draft.objectKey)
        return nil
      }
      // After a transient error the manifest may exist and need the object. If not, the next push collects the object.
      if !error.isTransient { try? repository.store.remove(draft.objectKey) }
      throw error
    }
    guard try isThere(draft) else {
      try repository.store.remove(key)
      return nil
    }
    known.removeDamaged()
    return Report(
      file: name, system: system, isRepeated: false, storedBytes: draft.object.length, replaced: known.damaged.count)
  }

  /// A file that no reader would accept is not archived: the server keeps it.
  private static func checkIsReadable(_ name: WALFileName, _ parse: () throws -> Void) throws {
    do {
      try parse()
    } catch let damage as DamageError {
      throw EngineError(
        "no reader would take what would be archived of \(name): \(damage.finding); nothing was archived",
        hint: "Check the clock of this machine. Please report it.")
    }
  }

  /// From now on the manifest keeps the object from being removed. Before, a collector on another machine that saw no
  /// lock may have removed it.
  private func isThere(_ draft: WALManifest) throws -> Bool {
    do {
      try repository.containers.checkPresence(draft.objectKey, length: draft.object.length)
      return true
    } catch is DamageError {
      return false
    }
  }

  /// Whether another push has taken the name, or a collector has removed what was unfinished.
  private func isOvertaken(_ error: any Error) -> Bool {
    if case StoreError.alreadyExists = error { return true }
    return (error as? SystemError)?.isNotFound == true
  }

  /// - Returns: `nil` when a collector has removed it while it was unfinished.
  private func makeObject(
    _ name: WALFileName, _ log: WALFacts.Log?, _ source: WALSourceFile, _ system: SystemIdentifier, _ writer: WriterKey?
  ) throws -> WALManifest? {
    let head = try repository.containers.makeHead(.wal, label: [])
    let object = try repository.store.create(Keys.walObject(options.source, system, name, head.name.id))
    let container = try ContainerWriter(head, sink: object)
    let maker = try FrameMaker(options.compression, capacity: Limits.framePlainBytesMax)
    let digest: Digest
    do {
      var hasher = Hasher()
      try source.read(host.cancellation) { bytes in
        hasher.update(bytes)
        try container.write(frame: container.reserveFrame(), maker.make(bytes, for: head))
      }
      digest = hasher.finish()
      let facts = try WALFacts(digest: digest, log: log).serialized()
      try Self.checkIsReadable(name) { _ = try WALFacts(parsing: facts, name: name.text) }
      try facts.withUnsafeBytes { try container.write(frame: container.reserveFrame(), maker.make($0, for: head)) }
      try host.cancellation.check()
    } catch {
      object.abort()
      throw error
    }
    let reference = try container.finish()
    do {
      try object.commit()
    } catch  where isOvertaken(error) {
      return nil
    }
    return WALManifest(
      repository: repository.id, source: options.source, system: system, file: name, size: source.size,
      segmentSize: source.segment?.size, object: reference,
      content: WALKnownCopies.content(digest, name, system, options.source, writer),
      time: RecordedTime(host.clock.now()), program: Program.nameAndVersion,
      keyring: repository.keyring.reference)
  }
}
