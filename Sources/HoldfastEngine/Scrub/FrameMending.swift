internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Makes frames of archives again that are damaged in every place, from the pages that the source still has: page
/// digests say which pages those are, and the digest of the stored frame says whether it came out byte for byte as it
/// was signed.
struct FrameMending {
  enum Outcome {
    /// The repository in which the object is read with the frames that were made again.
    case made(Repository, ScrubFinding.Origin)
    /// The reason why the source cannot give the object back.
    case impossible(String)
  }

  /// The most bytes of page digests that are held at once: those of 8 GiB of pages of 4 KiB.
  private static let digestBytesMax = 32 << 20
  let source: SourceName
  /// Returns the directory of a source on this machine.
  let directory: Scrub.SourceDirectory

  /// - Parameters:
  ///   - item: an object that no target has sound.
  ///   - joined: the repository, read from all its targets.
  /// - Throws: a signal; the error of a store that does not answer.
  func mend(_ item: ContainerCopy.Item, in joined: Repository) throws -> Outcome {
    guard item.kind == .archive else { return .impossible("only archives can be made again from pages of the source") }
    do {
      guard let owner = try owner(of: item, in: joined) else { return .impossible("no snapshot names it") }
      let origin = try joined.containers.sourceOrigin(of: owner.snapshot)
      guard let path = directory(source, origin?.directory) else { return .impossible("its source is not known here") }
      let reader = try joined.containers.open(.archive, item.key, item.reference)
      guard !reader.isClosed else { return .impossible("it is sealed, and was not opened") }
      let pages: SourcePages
      do throws(SystemError) { pages = try SourcePages(path, files: joined.host.files) } catch {
        return .impossible(error.isNotFound ? "its source is not here: \(error.message)" : Self.unreadable(error))
      }
      var course = FrameMendingCourse(reader, archive: owner.number, pages, joined, digestBytesMax: Self.digestBytesMax)
      return try course.run(owner.snapshot).map { frames in
        let mended = joined.through { MendedStore(base: $0, key: item.key, frames: frames) }
        return .made(mended, .source(frames: frames.count, directory: path))
      } ?? .impossible(course.obstacle(in: path))
    } catch let error as KeyError {
      return .impossible(error.message)
    } catch let damage as DamageError {
      return .impossible(
        damage.object == item.key
          ? "what its index says is lost, and nothing tells which pages were in it" : damage.message)
    }
  }

  /// The obstacle that the system refuses to read the source.
  fileprivate static func unreadable(_ error: SystemError) -> String {
    let advice =
      if error.isForbidden { "run the command as a user who may read it" } else if error.isDeviceFailure {
        "look at the kernel's log (dmesg)"
      } else { "run the command again when it can be read" }
    return "its source cannot be read: \(error.message); \(advice)"
  }

  /// Returns the snapshot that wrote an archive, and the number of the archive along its chain.
  private func owner(
    of item: ContainerCopy.Item, in joined: Repository
  ) throws -> (snapshot: Snapshot, number: UInt64)? {
    let names = item.key.dropFirst(Keys.source(source).count).split(separator: "/")
    guard let sequence = names.first.flatMap({ Keys.sequence($0) }),
      let snapshot = try joined.catalog.snapshotIfCommitted(source, sequence),
      let archive = try joined.catalog.whole(snapshot).envelope.archives.first(where: { $0.id == item.reference.id })
    else { return nil }
    return (snapshot, archive.number)
  }
}

/// The mending of one archive.
private struct FrameMendingCourse {
  private let reader: ContainerReader
  /// The number of the archive along its chain.
  private let archive: UInt64
  private let pages: SourcePages
  private let joined: Repository
  private let digestBytesMax: Int
  private let remaker = FrameRemaker()
  private let bytes: any ScratchBytes
  private var places: [UInt64: Range<UInt64>] = [:]
  private var length: UInt64 = 0
  /// The pieces of the frames that are still damaged.
  private var pieces: [UInt32: [FramePiece]] = [:]
  private var digestBytes = 0
  /// The number of damaged frames.
  private var damaged = 0
  /// True if the pages of a frame are all in the source, and no compression gives its bytes. Their digests say that
  /// they are the pages of then, so another try gives nothing else, and without this frame the others are of no use.
  private var isUnlike = false

  init(
    _ reader: ContainerReader, archive: UInt64, _ pages: SourcePages, _ joined: Repository, digestBytesMax: Int
  ) {
    (self.reader, self.archive, self.pages, self.joined) = (reader, archive, pages, joined)
    self.digestBytesMax = digestBytesMax
    bytes = joined.containers.scratch.make()
  }

  /// - Parameter owner: the snapshot that wrote the archive.
  /// - Returns: all damaged frames, made again; `nil` if one of them cannot be.
  mutating func run(_ owner: Snapshot) throws -> RemadeFrames? {
    var numbers: [UInt32] = []
    var number: UInt32 = 0
    try reader.verifyStored(0..<UInt32(reader.frames.count)) { _, damage in
      try joined.host.cancellation.check()
      if damage != nil { numbers.append(number) }
      number += 1
    }
    damaged = numbers.count
    guard damaged > 0 else { return nil }
    for number in numbers { pieces[number] = [] }
    try collect(BodyReader(joined.containers.openBody(of: owner)))
    try remakeAll()
    // What was renamed or moved since is in the newest state under the name that it has now.
    if !pieces.isEmpty, !isUnlike, !isTooMuch, let state = try newestState(since: owner) {
      try collect(state.makeReader())
      try remakeAll()
    }
    guard pieces.isEmpty, !isTooMuch else { return nil }
    try bytes.finish()
    return RemadeFrames(bytes, at: places)
  }

  /// The reason why not all frames could be made again.
  func obstacle(in directory: Path) -> String {
    if damaged == 0 { return "its frames are sound, so the source has nothing that it lacks" }
    if isTooMuch {
      return
        "more of it is damaged than can be made again at once (about \(Amount.bytes(pageBytesMax)) of pages); a new full takes what the source has now"
    }
    if isUnlike {
      return "its pages are in \(directory), but this version does not compress them to the same bytes"
    }
    if let refusal = pages.refusal { return FrameMending.unreadable(refusal) }
    let frames = damaged == 1 ? "its only damaged frame" : "\(pieces.count) of its \(damaged) damaged frames"
    return "pages of \(frames) are not in \(directory) any more"
  }

  private var isTooMuch: Bool { digestBytes > digestBytesMax }
  private var pageBytesMax: UInt64 { UInt64(digestBytesMax / PageDigest.byteCount) * 4096 }

  /// Adds the pieces of damaged frames. Where there are too many, it stops, and nothing is made again.
  private mutating func collect(_ changes: any ChangeReader) throws {
    while let change = try changes.next() {
      guard case .put(let entry, _) = change, let file = entry.file else { continue }
      var extents = try changes.extents()
      while let extent = try extents.next() {
        guard let location = extent.location, location.archive == archive, pieces[location.frame] != nil else {
          continue
        }
        digestBytes += extent.digests.count
        guard !isTooMuch else { return }
        pieces[location.frame]?.append(FramePiece(extent, at: location, of: file, entry.path))
      }
      try joined.host.cancellation.check()
    }
  }

  /// Makes the frames again whose pages are all in the source, until one comes out unlike.
  private mutating func remakeAll() throws {
    guard !isTooMuch else { return }
    for number in pieces.keys.sorted() {
      try joined.host.cancellation.check()
      let entry = reader.frames[Int(number)]
      guard let found = pieces[number], let plain = pages.plainBytes(of: found, count: Int(entry.plainCount)) else {
        continue
      }
      guard let stored = try remaker.remake(plain, as: number, of: reader) else {
        isUnlike = true
        return
      }
      try bytes.append(stored)
      places[entry.offset] = length..<length + UInt64(stored.count)
      length += UInt64(stored.count)
      digestBytes -= found.reduce(0) { $0 + $1.digests.count }
      pieces[number] = nil
    }
  }

  /// Returns the newest state that builds on a snapshot; `nil` if there is none, or if its bodies are damaged.
  private func newestState(since owner: Snapshot) throws -> StateFile? {
    do {
      let snapshots = try joined.catalog.committedSnapshots(of: owner.sourceName) { _ in }
      for tip in snapshots.reversed() where tip.sequence > owner.sequence {
        let chain = try joined.catalog.chain(to: tip, known: snapshots)
        guard chain.snapshots.contains(where: { $0.sequence == owner.sequence }) else { continue }
        return try joined.containers.replay(chain)
      }
      return nil
    } catch is DamageError {
      return nil
    }
  }
}
