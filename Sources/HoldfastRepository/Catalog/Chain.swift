package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem

/// A snapshot with everything it builds on: full → … → tip. Each parent is verified by its digest.
package struct Chain: Sendable {
  /// The full first.
  package let snapshots: [Snapshot]
  /// The archives by number: where the pages of the tip's state are stored.
  package let archives: ArchiveList
  /// The IDs of these archives.
  private let archiveIDs: Set<ArchiveID>

  package var tip: Snapshot { snapshots[snapshots.count - 1] }
  package var full: Snapshot { snapshots[0] }

  /// The number of the next archive of this chain.
  package var nextArchiveNumber: UInt64 { UInt64(archives.count) }

  /// `nil` when there is no archive of this number.
  package func archive(_ number: UInt64) -> Envelope.Archive? { number < archives.count ? archives[Int(number)] : nil }

  /// The newest snapshot with changes: its state is also that of the tip.
  package var lastChanging: Snapshot {
    snapshots.last { $0.envelope.kind == .full || !$0.envelope.changes.isEmpty } ?? full
  }

  /// Whether no snapshot may build on the tip, because readers would refuse so long a chain.
  package var isAsLongAsMayBe: Bool {
    snapshots.count >= Limits.chainLengthMax || archives.count > Limits.archivesPerChainMax / 2
  }

  /// Stored bytes of all bodies.
  package let bodyLength: UInt64

  /// Follows the parents of `tip`.
  /// - Parameter known: snapshots that were read already.
  /// - Throws: `DamageError` when one is missing, or is not what its child recorded.
  package init(to tip: Snapshot, known: [Snapshot] = [], in repository: Repository) throws {
    let known = Dictionary(
      known.filter { $0.sourceName == tip.sourceName && $0.envelope.archives.isHeld }.map { ($0.sequence, $0) },
      uniquingKeysWith: { $1 })
    var newest = try repository.whole(tip)
    var snapshots = [newest]
    while let parent = newest.envelope.parent {
      let key = Keys.manifest(tip.sourceName, parent.sequence)
      guard snapshots.count < Limits.chainLengthMax else { throw Self.isTooLong(key) }
      guard let snapshot = try known[parent.sequence] ?? repository.snapshotIfCommitted(tip.sourceName, parent.sequence)
      else {
        throw DamageError(key, "it is missing, and snapshot \(newest.id.short) builds on it")
      }
      guard snapshot.digest == parent.digest, snapshot.id == parent.snapshot else {
        throw DamageError(key, "it is not the manifest that snapshot \(newest.id.short) builds on")
      }
      try Self.check(newest, on: snapshot)
      snapshots.append(snapshot)
      newest = snapshot
    }
    self.snapshots = snapshots.reversed()
    bodyLength = snapshots.reduce(0) { $0.saturatingAdding($1.envelope.body.length) }
    (archives, archiveIDs) = try Self.table(of: self.snapshots)
  }

  /// The chain of a snapshot whose parent's chain is known.
  package init(_ parent: Chain, followedBy snapshot: Snapshot) throws {
    try Self.check(snapshot, on: parent.tip)
    guard parent.snapshots.count < Limits.chainLengthMax else {
      throw Self.isTooLong(Keys.manifest(snapshot.sourceName, snapshot.sequence))
    }
    snapshots = parent.snapshots + [snapshot]
    bodyLength = parent.bodyLength.saturatingAdding(snapshot.envelope.body.length)
    (archives, archiveIDs) = try Self.table(of: [snapshot], after: (parent.archives, parent.archiveIDs))
  }

  private static func isTooLong(_ key: String) -> DamageError { DamageError(key, "the chain is too long") }

  private static func check(_ child: Snapshot, on parent: Snapshot) throws {
    guard child.envelope.kind != .differential || parent.envelope.kind == .full else {
      throw DamageError(
        Keys.manifest(child.sourceName, child.sequence), "it is a differential, and builds on what is no full")
    }
  }

  private typealias Table = (archives: ArchiveList, ids: Set<ArchiveID>)

  private static func table(of snapshots: [Snapshot], after known: Table = ([], [])) throws -> Table {
    var table = known
    for snapshot in snapshots {
      let key = Keys.manifest(snapshot.sourceName, snapshot.sequence)
      guard table.archives.count + snapshot.envelope.archives.count <= Limits.archivesPerChainMax else {
        throw DamageError(key, "its chain has more than \(Limits.archivesPerChainMax) archives")
      }
      for archive in snapshot.envelope.archives {
        guard archive.number == UInt64(table.archives.count) else {
          throw DamageError(key, "its archives do not continue those of its parent")
        }
        guard table.ids.insert(ArchiveID(archive.id)).inserted else {
          throw DamageError(key, "archive \(archive.id.short) is in its chain under two numbers")
        }
        table.archives.append(archive)
      }
    }
    return table
  }
}

/// An ID in only sixteen bytes.
private struct ArchiveID: Hashable {
  private let high: UInt64
  private let low: UInt64

  init(_ id: Identifier) {
    high = id.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    low = id.bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }
}

extension Envelope.Changes {
  /// Whether nothing differs from the parent.
  package var isEmpty: Bool { added == 0 && changed == 0 && removed == 0 }
}

extension Repository {
  /// - Parameter known: snapshots of any source that were read already.
  package func chain(to snapshot: Snapshot, known: [Snapshot] = []) throws -> Chain {
    try Chain(to: snapshot, known: known, in: self)
  }

  /// The most memory for frames of bodies that are read side by side.
  private static let framesHeldMax = 64 << 20

  /// The totals of all bodies of a chain.
  package struct BodyTotals {
    /// Bytes of records.
    package var plainBytes: UInt64 = 0
    package var frames: UInt64 = 0

    package func adding(_ body: ContainerReader) -> BodyTotals {
      BodyTotals(
        plainBytes: plainBytes.saturatingAdding(body.frames.plainBytes),
        frames: frames.saturatingAdding(UInt64(body.frames.count)))
    }
  }

  /// The state of a chain's tip, replayed from the bodies and proved against the state root.
  package func replay(_ chain: Chain) throws -> StateFile { try measuredReplay(chain).state }

  /// If a chain is so long that not all of its bodies can be open at once, it is replayed in parts.
  package func measuredReplay(_ chain: Chain) throws -> (state: StateFile, totals: BodyTotals) {
    let frames = FrameScratch()
    let (bodies, totals) = try openBodies(of: chain)
    var state: StateFile?
    var start = 0
    repeat {
      var (end, held) = (start, 0)
      while end < bodies.count, end == start || held + bodies[end].frames.plainBytesMax <= Self.framesHeldMax {
        held += bodies[end].frames.plainBytesMax
        end += 1
      }
      let base: [any ChangeReader] = state.map { [$0.makeReader()] } ?? []
      state = try replay(
        base + bodies[start..<end].map { BodyReader($0, scratch: frames) }, to: chain.snapshots[end - 1],
        body: bodies[end - 1], scratchBytesMax: Self.scratchBytesMax(of: chain))
      start = end
    } while start < bodies.count
    return (state ?? .empty(), totals)
  }

  /// Opens all bodies of a chain, several at once, because finding the key of a sealed one takes most of the time of a
  /// small one. Bodies are opened in groups that cannot have more frames, by their lengths, than a chain may have,
  /// because their indexes are in memory.
  private func openBodies(of chain: Chain) throws -> (bodies: [ContainerReader], totals: BodyTotals) {
    var bodies: [ContainerReader] = []
    var totals = BodyTotals()
    var rest = chain.snapshots[...]
    while !rest.isEmpty {
      let room = UInt64(Limits.bodyFramesPerChainMax) - totals.frames
      var (count, frames): (Int, UInt64) = (0, 0)
      while count < rest.count, count < Self.openedAtOnce {
        frames = frames.saturatingAdding(rest[rest.startIndex + count].envelope.body.framesMax)
        guard count == 0 || frames <= room else { break }
        count += 1
      }
      let opened = try Array(rest.prefix(count)).mapInParallel(workers: host.workers, batch: 8) { try openBody(of: $0) }
      for (snapshot, body) in zip(rest, opened) {
        totals = totals.adding(body)
        try checkFrames(totals.frames, upTo: snapshot)
      }
      bodies += opened
      rest = rest.dropFirst(count)
    }
    try check(totals.plainBytes, of: chain)
    return (bodies, totals)
  }

  /// The most bodies that are opened before the totals are checked.
  private static let openedAtOnce = 1024

  /// The most bytes of a state in scratch space, in proportion to what is stored.
  package static func scratchBytesMax(of chain: Chain) -> UInt64 {
    chain.bodyLength.saturatingMultiplied(by: Limits.stateRatioMax).saturatingAdding(Limits.stateBytesFree)
  }

  /// - Parameter frames: the frames in all bodies of the chain up to this snapshot.
  package func checkFrames(_ frames: UInt64, upTo snapshot: Snapshot) throws {
    let most = Limits.bodyFramesPerChainMax
    guard frames <= UInt64(most) else {
      throw DamageError(
        Keys.manifest(snapshot.sourceName, snapshot.sequence), "the bodies of its chain have more than \(most) frames")
    }
  }

  /// Whether a chain can take one more body of any size.
  package func hasRoomForABody(_ chain: Chain) throws -> Bool {
    let most = UInt64(Limits.bodyFramesPerChainMax - Limits.framesPerContainerMax)
    // The lengths limit the number of frames. Only if that could be too many are bodies opened, the largest first: that
    // of the full, in most chains the only one.
    var frames = chain.snapshots.reduce(UInt64(0)) { $0.saturatingAdding($1.envelope.body.framesMax) }
    var closed = self
    closed.isClosed = true
    for snapshot in chain.snapshots.sorted(by: { $0.envelope.body.length > $1.envelope.body.length }) {
      guard frames > most else { return true }
      let body = snapshot.envelope.body
      let real = try UInt64(closed.openBody(of: snapshot).frames.count)
      frames = (frames - min(frames, body.framesMax)).saturatingAdding(real)
    }
    return frames <= most
  }

  /// Checks the ratio of plain to stored bytes: a small object must not cost a reader days and disks.
  /// - Parameter plain: bytes of records in all bodies of the chain.
  package func check(_ plain: UInt64, of chain: Chain) throws {
    let stored = chain.bodyLength
    let most = stored.saturatingMultiplied(by: Limits.bodyRatioMax).saturatingAdding(Limits.bodyBytesFree)
    guard plain <= most else {
      throw DamageError(
        Keys.manifest(chain.tip.sourceName, chain.tip.sequence),
        "the bodies of its chain would be \(Amount.bytes(plain)) of records, and are stored in \(Amount.bytes(stored)): no backup writes that"
      )
    }
  }

  /// Replays layers, the oldest first, and proves that the result is the state that `tip` records.
  /// - Parameters:
  ///   - body: the body of `tip`.
  ///   - scratchBytesMax: the most bytes of the state in scratch space.
  package func replay(
    _ layers: [any ChangeReader], to tip: Snapshot, body: ContainerReader, scratchBytesMax: UInt64 = .max
  ) throws -> StateFile {
    let scratch = self.scratch.make()
    var replay = try Replay(layers)
    let writer = StateWriter(scratch, expected: tip.envelope.state, bytesMax: scratchBytesMax)
    let key = Keys.manifest(tip.sourceName, tip.sequence)
    let differs = DamageError(key, "replaying its chain gives another state than it records")
    do {
      try replay.write(to: writer, cancellation: host.cancellation)
    } catch StateExcess.entries {
      throw differs
    } catch StateExcess.bytes {
      throw DamageError(
        key, "its state would take more than \(Amount.bytes(scratchBytesMax)) of scratch space: no backup writes that")
    }
    let summary = try writer.finish()
    try scratch.finish()
    guard summary.recorded(under: body.key) == tip.envelope.state else { throw differs }
    let state = StateFile(bytes: scratch, summary: summary)
    if writer.hasHardLinks { try state.checkLinks(name: key) }
    return state
  }
}

extension ObjectReference {
  /// The most frames that a container of this length can have, each with an index entry and at least one byte.
  fileprivate var framesMax: UInt64 { min(UInt64(Limits.framesPerContainerMax), length / 57) }
}
