internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSource
internal import HoldfastStore
internal import HoldfastSystem

/// The archived copies of a file that is pushed. If one has the same contents and is sound, nothing is archived. If
/// they are damaged, or by another writer, the file is archived again. If they differ, the push is refused.
struct WALKnownCopies {
  /// The copy that makes the push unnecessary.
  private(set) var same: ArchivedWAL?
  /// The numbers of the copies that are damaged.
  private(set) var damaged: [UInt64] = []
  /// The number of the next copy.
  private(set) var next: UInt64 = 1
  private let name: WALFileName
  private let source: WALSourceFile
  private let found: WALSurvey.Result
  private let system: SystemIdentifier
  private let archive: WALArchive
  private let writer: WriterKey?

  /// - Parameters:
  ///   - name: the name under which the file is to be archived.
  ///   - known: the copies that are archived in its directory.
  ///   - replacesUnfinished: true if the file may begin differently from what was archived while it was unfinished.
  /// - Throws: `EngineError` if other contents are archived under that name, or if this writer cannot compare them.
  init(
    _ name: WALFileName, _ source: WALSourceFile, _ found: WALSurvey.Result, _ system: SystemIdentifier,
    in archive: WALArchive, _ writer: WriterKey?, among known: [WALFileName: [UInt64]], replacesUnfinished: Bool
  ) throws {
    (self.name, self.source, self.found, self.system) = (name, source, found, system)
    (self.archive, self.writer) = (archive, writer)
    var isAccepted = false
    if let copies = known[name], let last = copies.last {
      guard last < .max else {
        throw DamageError(Keys.walManifest(archive.source, system, name, copy: last), "its number is not sound")
      }
      next = last + 1
      isAccepted = try examine(copies)
    }
    guard !isAccepted else { return }
    if name.kind == .unfinishedSegment, let segment = name.segment, known[segment] != nil {
      // A log that breaks off may be the beginning of the whole segment, or that of another one that is damaged:
      // nothing tells which.
      if try isArchived(segment) { throw refusal.whole(segment) }
    } else if let unfinished = name.unfinished, known[unfinished] != nil, !replacesUnfinished {
      try checkBeginning(unfinished)
    }
  }

  private var cancellation: Cancellation { archive.repository.host.cancellation }

  private var refusal: WALRefusal { WALRefusal(archive.source, source, found) }

  // MARK: The same contents

  private enum Content {
    /// The same contents: the code of this writer is equal.
    case same
    /// The same contents, archived by another writer: without an identity, this writer cannot recognise them again.
    case sameOfAnother
    case other
    /// Contents of another writer that cannot be opened here.
    case unknown
  }

  /// - Returns: true if the same contents were archived before, even if they are damaged now.
  private mutating func examine(_ copies: [UInt64]) throws -> Bool {
    let digest = try source.digest(cancellation)
    var (isAccepted, isUnknown) = (false, false)
    for copy in copies where same == nil {
      do {
        guard let known = try archive.find(name, of: system, copy: copy) else { continue }
        let content = try content(digest, known)
        if case .other = content {
          guard name.mayDiffer else { throw refusal.otherContents }
          continue
        }
        isAccepted = isAccepted || content != .unknown
        try archive.verify(known)
        if case .same = content { same = known }
        isUnknown = isUnknown || content == .unknown
      } catch  where error.isDamage {
        damaged.append(copy)
      }
    }
    guard !isUnknown || isAccepted || name.mayDiffer else { throw refusal.unreadable }
    return isAccepted
  }

  /// Returns the digest or code by which a file is recognised when it is pushed again.
  static func content(
    _ digest: Digest, _ file: WALFileName, _ system: SystemIdentifier, _ source: SourceName, _ writer: WriterKey?
  ) -> Digest {
    writer?.contentCode(of: digest, context: WALManifest.context(source, system, file)) ?? digest
  }

  private func content(_ digest: Digest, _ known: ArchivedWAL) throws -> Content {
    let manifest = known.manifest
    guard let writer, archive.repository.keyring.isSealed else { return digest == manifest.content ? .same : .other }
    if manifest.signature?.key == writer.signing.publicKey {
      let code = Self.content(digest, manifest.file, system, archive.source, writer)
      return code == manifest.content ? .same : .other
    }
    guard try isReadable else { return .unknown }
    return try archive.facts(of: known).digest == digest ? .sameOfAnother : .other
  }

  /// True if archived files can be opened here.
  private var isReadable: Bool {
    get throws { try archive.repository.keyring.hasIdentity() }
  }

  // MARK: The same beginning

  private func isArchived(_ segment: WALFileName) throws -> Bool {
    do {
      return try archive.find(segment, of: system) != nil
    } catch  where error.isDamage {
      return false
    }
  }

  /// Refuses a whole segment that begins differently from what was archived while it was unfinished. A writer that
  /// cannot open the unfinished one cannot compare: then both are kept.
  private func checkBeginning(_ unfinished: WALFileName) throws {
    guard try isReadable else { return }
    do {
      _ = try archive.firstSound(of: unfinished, system) { known in
        let end = try end(of: known)
        guard try isSame(upTo: end, known) else { throw refusal.otherBeginning(end) }
      }
    } catch  where error.isDamage {
      return
    }
  }

  /// Returns the end of the last complete record of an unfinished segment. The recorded end may be later, because
  /// earlier versions checked only some records.
  private func end(of known: ArchivedWAL) throws -> LogSequenceNumber {
    guard let segment = source.segment, let number = name.number(segment.size) else { return LogSequenceNumber(0) }
    var parser = WALParser(segment, from: segment.size.start(of: number)) { _ in }
    try archive.read(known) { parser.parse($0) }
    return parser.end
  }

  private func isSame(upTo end: LogSequenceNumber, _ known: ArchivedWAL) throws -> Bool {
    guard let size = source.segment?.size, let number = name.number(size), end >= size.start(of: number) else {
      return true
    }
    let count = end.value - size.start(of: number).value
    var beginning = Beginning(count)
    try archive.read(known) { beginning.add($0) }
    return try beginning.finish() == source.digest(ofFirst: count, cancellation)
  }

  // MARK: Removal

  /// Removes damaged copies that were replaced. A writer that may only add leaves them to a prune.
  func removeDamaged() {
    let store = archive.repository.store
    for copy in damaged {
      let object = try? archive.find(name, of: system, copy: copy)?.manifest.objectKey
      try? store.remove(Keys.walManifest(archive.source, system, name, copy: copy))
      if let object { try? store.remove(object) }
    }
  }
}
