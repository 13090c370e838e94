internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// What is archived already of a file that is pushed: the very same and sound, then there is nothing to do; or damaged, then it is archived once more; or something
/// else, then it is refused.
struct WALKnownCopies {
  /// The one that makes the push superfluous.
  private(set) var same: ArchivedWAL?
  /// Numbers of those that were proved to be damaged.
  private(set) var damaged: [UInt64] = []
  /// The number of the next one.
  private(set) var next: UInt64 = 1
  private let name: WALFileName
  private let source: WALSourceFile
  private let system: SystemIdentifier
  private let archive: WALArchive
  private let writer: WriterKey?

  /// - Parameter name: under which the file is to be archived.
  /// - Throws: `EngineError` where something else is archived under that name, or where nobody here can tell.
  init(
    _ name: WALFileName, _ source: WALSourceFile, _ system: SystemIdentifier, in archive: WALArchive,
    _ writer: WriterKey?
  ) throws {
    (self.name, self.source, self.system, self.archive, self.writer) = (name, source, system, archive, writer)
    let known = try archive.copies(of: system, in: name.directory)
    if let copies = known[name], let last = copies.last {
      guard last < .max else {
        throw DamageError(Keys.walManifest(archive.source, system, name, copy: last), "its number is not sound")
      }
      next = last + 1
      try examine(copies)
    }
    guard same == nil else { return }
    if name.kind == .unfinishedSegment, let segment = name.segment, known[segment] != nil {
      // What breaks off may be the beginning of the whole, or another log that is damaged: nobody can tell.
      if try isArchived(segment) { throw refusal }
    } else if let unfinished = name.unfinished, known[unfinished] != nil {
      try checkBeginning(unfinished)
    }
  }

  private var cancellation: Cancellation { archive.repository.host.cancellation }

  private mutating func examine(_ copies: [UInt64]) throws {
    let digest = try source.digest(cancellation)
    for copy in copies where same == nil {
      do {
        guard let known = try archive.find(name, of: system, copy: copy) else { continue }
        if try hasContent(digest, known) {
          try prove(known)
          same = known
        } else if !name.mayDiffer {
          throw refusal
        }
      } catch is DamageError {
        damaged.append(copy)
      } catch let error as SystemError where error.isDeviceFailure {
        damaged.append(copy)
      }
    }
  }

  private var refusal: EngineError {
    EngineError(
      "\(source.name) is archived already for \(archive.source), with other contents",
      hint:
        "Nothing was stored. Two servers may be archiving under one name: give each a --name of its own, and take a full of it."
    )
  }

  /// Reads all of it: that a file is there says nothing of what is in it.
  private func prove(_ known: ArchivedWAL) throws {
    guard archive.repository.sealed != nil else {
      try archive.read(known) { _ in }
      return
    }
    try WALContents(archive.open(known, isClosed: true), cancellation: cancellation).proveStored()
  }

  // MARK: The same contents

  /// By which a file is recognised when it comes again.
  static func content(
    _ digest: Digest, _ file: WALFileName, _ system: SystemIdentifier, _ source: SourceName, _ writer: WriterKey?
  ) -> Digest {
    writer?.contentCode(of: digest, context: WALManifest.context(source, system, file)) ?? digest
  }

  private func hasContent(_ digest: Digest, _ known: ArchivedWAL) throws -> Bool {
    let manifest = known.manifest
    guard let writer, archive.repository.sealed != nil else { return digest == manifest.content }
    if manifest.signature?.key == writer.signing.publicKey {
      return Self.content(digest, manifest.file, system, archive.source, writer) == manifest.content
    }
    guard try isReadable else { throw unreadable }
    return try archive.facts(of: known).digest == digest
  }

  /// Whether what is archived can be opened here.
  private var isReadable: Bool {
    get throws { try archive.repository.sealed.map { try !$0.identities().isEmpty } ?? true }
  }

  private var unreadable: EngineError {
    EngineError(
      "\(source.name) is archived already for \(archive.source), by another writer, and this machine cannot open it to compare",
      hint: "Run the same push once with --identity FILE; or give this server a --name of its own.")
  }

  // MARK: The same beginning

  private func isArchived(_ segment: WALFileName) throws -> Bool {
    do {
      return try archive.find(segment, of: system) != nil
    } catch is DamageError {
      return false
    }
  }

  /// Refuses a whole segment that does not begin as what was archived while it was unfinished. Who cannot open that cannot compare: both are kept then.
  private func checkBeginning(_ unfinished: WALFileName) throws {
    guard try isReadable else { return }
    do {
      _ = try archive.firstSound(of: unfinished, system) { known in
        guard try isSame(upTo: archive.facts(of: known).log?.end, known) else { throw refusal }
      }
    } catch is DamageError {
      return
    }
  }

  private func isSame(upTo end: LogSequenceNumber?, _ known: ArchivedWAL) throws -> Bool {
    guard let end, let size = source.segment?.size, let number = name.number(size), end >= size.start(of: number) else {
      return true
    }
    let count = end.value - size.start(of: number).value
    var beginning = Beginning(count)
    try archive.read(known) { beginning.add($0) }
    return try beginning.finish() == source.digest(ofFirst: count, cancellation)
  }

  // MARK: Afterwards

  /// Removes what is damaged and has been replaced. Who may only add leaves it to a prune.
  func removeDamaged() {
    let store = archive.repository.store
    for copy in damaged {
      let object = try? archive.find(name, of: system, copy: copy)?.manifest.objectKey
      try? store.remove(Keys.walManifest(archive.source, system, name, copy: copy))
      if let object { try? store.remove(object) }
    }
  }
}
