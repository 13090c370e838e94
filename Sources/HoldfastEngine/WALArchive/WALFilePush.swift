internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// Archives one file in a `WALPushSession`: on return, the file is durable in the repository.
struct WALFilePush {
  /// The most attempts, if other pushes were faster or removed the object of this one.
  private static let triesMax = 20
  private let session: WALPushSession
  private let source: WALSourceFile
  private let turn: WALPushTurn

  /// - Parameter turn: the turn of the file, which says when its manifest may be stored.
  init(_ source: WALSourceFile, in session: WALPushSession, _ turn: WALPushTurn) {
    (self.source, self.session, self.turn) = (source, session, turn)
  }

  private var archive: WALArchive { session.archive }
  private var repository: Repository { session.archive.repository }
  private var host: Host { session.archive.repository.host }
  private var system: SystemIdentifier { session.system }
  private var writer: WriterKey? { session.writer }

  func run() throws -> WALPush.Report {
    let found = try WALSurvey.result(of: source, host.cancellation)
    // A segment that is marked ready is whole. If it does not look so, the error waits until the server asks for it.
    guard !found.isUnfinished || !turn.isAhead else { throw UnfinishedAhead() }
    let name = found.isUnfinished ? source.name.unfinished ?? source.name : source.name
    for attempt in 0..<Self.triesMax {
      try host.cancellation.check()
      let names =
        try attempt == 0
        ? session.firstNames(in: name.directory) : archive.copies(of: system, in: name.directory)
      let known = try WALKnownCopies(
        name, source, found, system, in: archive, writer, among: names,
        replacesUnfinished: session.options.replacesUnfinished)
      if let same = known.same { return try confirm(same) }
      try turn.begin()
      if let report = try store(name, found.log, beside: known) { return report }
      // Another push of the same file was faster, or this one was taken for a killed one: examine the copies again.
    }
    throw EngineError(
      .transient, "what is made of \(source.name) is removed again and again",
      hint: "Look at who else uses \(repository.location).")
  }

  private func confirm(_ same: ArchivedWAL) throws -> WALPush.Report {
    try repository.store.settle(below: Keys.wal(archive.source, system, same.file.directory))
    return WALPush.Report(
      file: same.file, system: system, digest: try source.digest(host.cancellation), isRepeated: true, storedBytes: 0,
      replaced: 0)
  }

  // MARK: New file

  /// - Returns: the report; `nil` if another push has taken the number, or the object is gone.
  private func store(
    _ name: WALFileName, _ log: WALFacts.Log?, beside known: WALKnownCopies
  ) throws -> WALPush.Report? {
    guard let (draft, digest) = try makeObject(name, log) else { return nil }
    let key = Keys.walManifest(archive.source, system, name, copy: known.next)
    do {
      // This check takes place while the push of the file before checks its object.
      try turn.approach()
      try repository.keyring.checkIsNewest(after: "\(name) was archived")
      try turn.await()
      // The manifests of a killed run may not be durable yet, and this one must not be durable before them.
      try repository.store.settle(below: Keys.wal(archive.source, system, name.directory))
      let manifest = try draft.serialized(signedBy: writer?.signing)
      try Self.checkIsReadable(name) { _ = try ArchivedWAL(parsing: manifest, name: key) }
      try repository.store.put(manifest, at: key)
      turn.noteStored()
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
    // This comes last: a manifest whose object is gone is removed again, and no file after it may have been archived.
    turn.pass()
    known.removeDamaged()
    return WALPush.Report(
      file: name, system: system, digest: digest, isRepeated: false, storedBytes: draft.object.length,
      replaced: known.damaged.count)
  }

  /// Refuses to archive a file that no reader would accept: the server keeps it.
  private static func checkIsReadable(_ name: WALFileName, _ parse: () throws -> Void) throws {
    do {
      try parse()
    } catch let damage as DamageError {
      throw EngineError(
        .usage, "no reader would take what would be archived of \(name): \(damage.finding); nothing was archived",
        hint: "Check the clock of this machine. Please report it.")
    }
  }

  /// Returns true if the object still exists. From now on the manifest keeps it; before, a run on another machine that
  /// saw no lock may have removed it.
  private func isThere(_ draft: WALManifest) throws -> Bool {
    do {
      try repository.containers.checkPresence(draft.objectKey, length: draft.object.length)
      return true
    } catch is DamageError {
      return false
    }
  }

  /// Returns true if another push has taken the name, or another run has removed the unfinished object.
  private func isOvertaken(_ error: any Error) -> Bool {
    if case StoreError.alreadyExists = error { return true }
    if case S3Error.refused(_, status: 404, _) = error { return true }
    return (error as? SystemError)?.isNotFound == true
  }

  /// - Returns: `nil` if another run has removed the object while it was unfinished.
  private func makeObject(
    _ name: WALFileName, _ log: WALFacts.Log?
  ) throws -> (WALManifest, Digest)? {
    let head = try repository.containers.makeHead(.wal, label: [])
    let object = try repository.store.create(Keys.walObject(archive.source, system, name, head.name.id))
    let container = try ContainerWriter(head, sink: object)
    let maker = try FrameMaker(session.options.compression, capacity: Limits.framePlainBytesMax)
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
    let manifest = WALManifest(
      repository: repository.id, source: archive.source, system: system, file: name, size: source.size,
      segmentSize: source.segment?.size, object: reference,
      content: WALKnownCopies.content(digest, name, system, archive.source, writer),
      time: RecordedTime(host.clock.now()), program: Program.nameAndVersion,
      keyring: repository.keyring.reference)
    return (manifest, digest)
  }
}

/// The error that a segment is not whole, before the server has asked for it.
private struct UnfinishedAhead: Error {}
