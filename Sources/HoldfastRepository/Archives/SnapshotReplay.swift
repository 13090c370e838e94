package import HoldfastArchive
package import HoldfastCodec
internal import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// Makes the states of snapshots from the bodies of their chains.
extension ContainerStore {
  /// The maximum memory for frames of bodies that are read side by side.
  private static let framesHeldMax = 64 << 20

  /// Returns the state of a chain's tip, replayed from the bodies and proved against the state root.
  package func replay(_ chain: Chain) throws -> StateFile { try measuredReplay(chain).state }

  /// Replays a chain. If it is so long that not all of its bodies can be open at once, it is replayed in parts.
  /// - Parameter tipBody: the body of the tip, if it is open.
  package func measuredReplay(
    _ chain: Chain, tipBody: ContainerReader? = nil
  ) throws -> (state: StateFile, totals: BodyTotals) {
    let frames = FrameScratch()
    let (bodies, totals) = try openBodies(of: chain, tipBody)
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
        body: bodies[end - 1], scratchBytesMax: chain.scratchBytesMax)
      start = end
    } while start < bodies.count
    return (state ?? .empty(), totals)
  }

  /// Opens all bodies of a chain, several at once, because finding the key takes most of the time for a small sealed
  /// one. Their indexes are in memory, so they are opened in groups that, by their lengths, cannot have more frames
  /// than a chain may have.
  private func openBodies(
    of chain: Chain, _ tipBody: ContainerReader?
  ) throws -> (bodies: [ContainerReader], totals: BodyTotals) {
    var bodies: [ContainerReader] = []
    var totals = BodyTotals()
    var rest = tipBody == nil ? chain.snapshots[...] : chain.snapshots.dropLast()
    while !rest.isEmpty {
      let room = UInt64(Limits.bodyFramesPerChainMax) - totals.frames
      var (count, frames): (Int, UInt64) = (0, 0)
      while count < rest.count, count < Self.openedAtOnce {
        frames = frames.saturatingAdding(rest[rest.startIndex + count].envelope.body.framesMax)
        guard count == 0 || frames <= room else { break }
        count += 1
      }
      store.prefetch(
        rest.prefix(count).map { snapshot in
          let body = snapshot.envelope.body
          return (Keys.body(snapshot.sourceName, snapshot.sequence, body.id), body.length)
        })
      let opened = try open(Array(rest.prefix(count)))
      for (snapshot, body) in zip(rest, opened) {
        totals = try totals.adding(body, of: snapshot)
      }
      bodies += opened
      rest = rest.dropFirst(count)
    }
    if let tipBody {
      totals = try totals.adding(tipBody, of: chain.tip)
      bodies.append(tipBody)
    }
    try totals.checkRatio(of: chain)
    return (bodies, totals)
  }

  /// Opens bodies: in a near store on all processors, in a remote one with as many requests as run at once.
  private func open(_ snapshots: [Snapshot]) throws -> [ContainerReader] {
    if isNear { return try snapshots.mapInParallel(workers: host.workers, batch: 8) { try openBody(of: $0) } }
    let opened = Mutex([ContainerReader?](repeating: nil, count: snapshots.count))
    try SideBySide.run(snapshots.count, threads: store.connections) { index in
      let body = try openBody(of: snapshots[index])
      opened.withLock { $0[index] = body }
    }
    return opened.withLock { $0 }.compactMap(\.self)
  }

  /// The maximum number of bodies that are opened before the totals are checked.
  private static let openedAtOnce = 1024

  /// True if a chain can take one more body of any size.
  package func hasRoomForABody(_ chain: Chain) throws -> Bool {
    let most = UInt64(Limits.bodyFramesPerChainMax - Limits.framesPerContainerMax)
    // The lengths limit the number of frames. Only if there could be too many are bodies opened, the largest first.
    // That is the body of the full, and in most chains the only one to open.
    var frames = chain.snapshots.reduce(UInt64(0)) { $0.saturatingAdding($1.envelope.body.framesMax) }
    let closed = closed
    for snapshot in chain.snapshots.sorted(by: { $0.envelope.body.length > $1.envelope.body.length }) {
      guard frames > most else { return true }
      let body = snapshot.envelope.body
      let real = try UInt64(closed.openBody(of: snapshot).frames.count)
      frames = (frames - min(frames, body.framesMax)).saturatingAdding(real)
    }
    return frames <= most
  }

  /// Replays layers, the oldest first, and proves that the result is the state that `tip` records.
  /// - Parameters:
  ///   - body: the body of `tip`.
  ///   - scratchBytesMax: the maximum number of bytes of the state in scratch space.
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
  /// The maximum number of frames of a container of this length: each has an index entry and at least one byte.
  fileprivate var framesMax: UInt64 { min(UInt64(Limits.framesPerContainerMax), length / 57) }
}

extension Chain {
  /// The maximum number of bytes of the tip's state in scratch space, in proportion to the stored bytes.
  package var scratchBytesMax: UInt64 {
    bodyLength.saturatingMultiplied(by: Limits.stateRatioMax).saturatingAdding(Limits.stateBytesFree)
  }
}

extension Envelope.State {
  /// Returns the state as an envelope records it; `key` is that of a sealed body.
  package func recorded(under key: SealingKey?) -> Envelope.State {
    guard let key else { return self }
    var state = self
    state.root = key.sealedRoot(root)
    return state
  }
}
