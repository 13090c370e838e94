internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Verifies snapshots in the order in which they build on each other, each from its parent's state, so that a chain
/// needs only one pass.
struct VerifyWalk {
  private struct Verified {
    let snapshot: Snapshot
    let chain: Chain?
    let state: StateFile?
    let isSound: Bool
    let isClosed: Bool
    /// The totals of all bodies of its chain; `nil` if they could not be opened.
    let bodies: BodyTotals?
  }

  private static let namedFilesMax = 20
  /// Closed while the walk is at a snapshot that no identity opens, or that builds on one.
  private var repository: Repository
  private let options: Verify.Options
  private let progress: any ProgressObserver
  private let sample: Sample
  /// The newest snapshot, and the full of its chain: later snapshots build on no others.
  private var newest: Verified?
  private var full: Verified?
  /// The next snapshot, which is being opened.
  private var coming: (digest: Digest, opening: Future<VerifyOpening>)?
  /// The archives that were opened for the snapshot before.
  private var readers: ArchiveReaders?
  private(set) var provenBytes: UInt64 = 0
  private(set) var provenFrames: UInt64 = 0

  init(repository: Repository, options: Verify.Options, progress: any ProgressObserver) {
    self.repository = repository
    self.options = options
    self.progress = progress
    sample = Sample(options, random: repository.host.random)
  }

  /// - Parameter next: the snapshot that is verified after this one.
  mutating func verify(_ listed: Snapshot, before next: Snapshot? = nil) throws -> Verify.SnapshotResult {
    let begun = repository.host.clock.uptime()
    var result = Verify.SnapshotResult(snapshot: listed)
    var snapshot = listed
    var state: StateFile?
    var itsChain: Chain?
    var bodies: BodyTotals?
    repository.containers.isClosed = false
    do {
      try repository.host.cancellation.check()
      snapshot = try repository.catalog.whole(listed)
      repository.containers.isClosed = try !repository.keyring.opens(snapshot)
      let parent = snapshot.envelope.parent.flatMap { verified($0) }
      let chain =
        try parent?.chain.map { try Chain($0, followedBy: snapshot) } ?? repository.catalog.chain(to: snapshot)
      itsChain = chain
      // A chain can be sealed to others in part, though no backup makes such a one. That is no damage: whoever has all
      // identities opens it.
      if try parent?.isClosed ?? chain.snapshots.contains(where: { try !repository.keyring.opens($0) }) {
        repository.containers.isClosed = true
      }
      try repository.containers.checkPresence(of: snapshot, .anywhere)
      if let parent, !parent.isSound {
        result.findings.append(
          Verify.Finding(message: "it builds on \(parent.snapshot.id.short), which is damaged", costsData: true))
      }
      let opening = try open(snapshot, before: next)
      try opening.recipients.get()
      let body = try opening.body?.get()
      if let body, !repository.containers.isClosed {
        // A restore reads the label too. Only sealed containers have one.
        if repository.keyring.isSealed { _ = try body.label() }
        (state, bodies) = try replay(chain, from: parent, body)
      }
      if try state?.has(StagingArea.name) ?? false {
        result.findings.append(
          Verify.Finding(
            message:
              "it has an entry \(StagingArea.name), and a restore needs this name for itself: only parts of it come back, with --path",
            costsData: true))
      }
      if !options.readsData || !repository.containers.isClosed {
        progress.advance(bytes: snapshot.envelope.body.length, files: 0)
      }
      if options.readsData, let body { try verifyData(of: snapshot, chain, body, into: &result) }
    } catch let error as any OperatorError where error.isDamage {
      result.findings.append(Verify.Finding(message: error.message, costsData: true))
    }
    result.isClosed = repository.containers.isClosed
    let outcome = Verified(
      snapshot: snapshot, chain: itsChain, state: state, isSound: result.isSound, isClosed: result.isClosed,
      bodies: bodies)
    newest = outcome
    if snapshot.envelope.kind == .full { full = outcome }
    result.duration = repository.host.clock.uptime() - begun
    return result
  }

  /// Opens a snapshot, and begins to open the next one.
  private mutating func open(_ snapshot: Snapshot, before next: Snapshot?) throws -> VerifyOpening {
    let opening =
      if let coming, coming.digest == snapshot.digest { coming.opening } else { try beginOpening(snapshot) }
    let opened = try opening.value()
    // A long list of archives is read only when it is needed.
    coming =
      if let next, next.envelope.archives.isHeld {
        (try? beginOpening(next)).map { (next.digest, $0) }
      } else { nil }
    return opened
  }

  private func beginOpening(_ snapshot: Snapshot) throws -> Future<VerifyOpening> {
    let isClosed = try !repository.keyring.opens(snapshot)
    return VerifyOpening.begin(
      snapshot, in: repository, isClosed: isClosed, needsBody: options.readsData || !isClosed)
  }

  private func verified(_ parent: Envelope.Parent) -> Verified? {
    [newest, full].compactMap { $0 }.first { $0.snapshot.digest == parent.digest }
  }

  /// Replays from the parent's state if it is known, otherwise from the beginning of the chain.
  /// - Returns: the state, and the totals of all bodies of the chain.
  private func replay(
    _ chain: Chain, from parent: Verified?, _ body: ContainerReader
  ) throws -> (StateFile, BodyTotals) {
    guard let state = parent?.state, let before = parent?.bodies else {
      return try repository.containers.measuredReplay(chain, tipBody: body)
    }
    let totals = try before.adding(body, of: chain.tip)
    try totals.checkRatio(of: chain)
    let replayed = try repository.containers.replay(
      [state.makeReader(), BodyReader(body)], to: chain.tip, body: body,
      scratchBytesMax: chain.scratchBytesMax)
    return (replayed, totals)
  }

  // MARK: Data

  private struct FrameName: Hashable {
    let archive: UInt64
    let frame: UInt32
  }

  /// Reads every page that the manifest refers to, then the frames of the snapshot that none of these pages needed.
  private mutating func verifyData(
    of snapshot: Snapshot, _ chain: Chain, _ body: ContainerReader, into result: inout Verify.SnapshotResult
  ) throws {
    let readers = ArchiveReaders(chain, in: repository.containers, after: self.readers)
    self.readers = readers
    let damage = FrameLog()
    let fetcher = PageFetcher(readers: readers, host: repository.host, isVerifying: true)
    let progress = progress
    func note(_ fetched: PageFetcher.Fetched) throws {
      let name = FrameName(archive: fetched.frame.archive, frame: fetched.frame.frame)
      try damage.add(name, bytes: fetched.storedBytes, fetched.failure)
      progress.advance(bytes: fetched.storedBytes, files: 0)
    }
    if repository.containers.isClosed {
      try verifyStored(body, damage)
    } else {
      try forEachExtent(of: body) { _, file, extent, plan in
        guard let location = extent.location, sample.isChosen(archive: location.archive, frame: location.frame) else {
          return
        }
        if location.archive < UInt64(chain.archives.count) { damage.visited.insert(location.archive, location.frame) }
        plan.add(extent, of: file, to: damage.nowhere)
        if plan.isFull { try fetcher.fetch(&plan, onFrame: note) }
      } end: { plan in
        try fetcher.fetch(&plan, onFrame: note)
      }
    }
    let needed = damage.failures
    try verifyParity(of: body, into: &result)
    for archive in snapshot.envelope.archives {
      let reader: ContainerReader
      do {
        reader = try readers.reader(archive.number)
      } catch {
        try damage.add(FrameName(archive: archive.number, frame: 0), bytes: 0, error)
        continue
      }
      try verifyParity(of: reader, into: &result)
      let visited = damage.visited
      try fetcher.verify(
        archive: archive.number,
        frames: (0..<UInt32(reader.frames.count)).lazy.filter { [sample] frame in
          sample.isChosen(archive: archive.number, frame: frame) && !visited.contains(archive.number, frame)
        }, onFrame: note)
    }
    try fetcher.drain(onFrame: note)
    provenBytes += damage.bytes
    result.provenBytes = damage.bytes
    provenFrames += damage.frames
    for (name, message) in damage.failures.sorted(by: {
      ($0.key.archive, $0.key.frame) < ($1.key.archive, $1.key.frame)
    }) {
      // Without a key it is not known whether a page needs the frame, so it counts as needed.
      result.findings.append(
        Verify.Finding(message: message, costsData: repository.containers.isClosed || needed[name] != nil))
    }
    if damage.moreFailures > 0 {
      let more = Amount.count(damage.moreFailures, "more frame is", "more frames are")
      result.findings.append(Verify.Finding(message: "\(more) damaged", costsData: true))
    }
    if !needed.isEmpty, !repository.containers.isClosed { result.damagedFiles = try files(of: body, in: needed) }
  }

  /// Verifies the stored parity of a container, if the sample has chosen it. No data is lost by damage to it.
  private func verifyParity(of reader: ContainerReader, into result: inout Verify.SnapshotResult) throws {
    guard reader.parityBytes > 0, sample.isChosen(name: "parity of " + reader.name) else { return }
    do {
      try reader.verifyParity { count in
        try repository.host.cancellation.check()
        progress.advance(bytes: UInt64(count), files: 0)
      }
    } catch let damage as DamageError {
      result.findings.append(Verify.Finding(message: damage.message, costsData: false, isOfParity: true))
    }
  }

  /// Verifies the stored frames of a body that cannot be opened here.
  private func verifyStored(_ body: ContainerReader, _ damage: FrameLog) throws {
    body.expect(0..<UInt32(body.frames.count))
    try body.verifyStored(0..<UInt32(body.frames.count)) { frame, failure in
      if let failure { throw failure }
      try repository.host.cancellation.check()
      damage.bytes += UInt64(frame.storedCount)
      damage.frames += 1
      progress.advance(bytes: UInt64(frame.storedCount), files: 0)
    }
  }

  private func forEachExtent(
    of container: ContainerReader, _ body: (Entry, FileContent, PageExtent, inout PagePlan) throws -> Void,
    end: (inout PagePlan) throws -> Void
  ) throws {
    var plan = PagePlan()
    let reader = BodyReader(container)
    while let change = try reader.next() {
      guard case .put(let entry, _) = change, let file = entry.file else { continue }
      var extents = reader.extents()
      while let extent = try extents.next() { try body(entry, file, extent, &plan) }
    }
    try end(&plan)
  }

  private func files(of body: ContainerReader, in frames: [FrameName: String]) throws -> [Path] {
    var damaged: [Path] = []
    try forEachExtent(of: body) { entry, _, extent, _ in
      guard let location = extent.location, damaged.last != entry.path, damaged.count < Self.namedFilesMax,
        frames[FrameName(archive: location.archive, frame: location.frame)] != nil
      else { return }
      damaged.append(entry.path)
    } end: { _ in
    }
    return damaged
  }

  /// The frames that were read, and the faults in them.
  private final class FrameLog {
    private static let failuresMax = 1000
    var visited = FrameSet()
    var failures: [FrameName: String] = [:]
    /// The number of damaged frames beyond those that are named.
    var moreFailures: UInt64 = 0
    var bytes: UInt64 = 0
    var frames: UInt64 = 0
    let nowhere = NullSink()

    func add(_ frame: FrameName, bytes: UInt64, _ failure: (any Error)?) throws {
      self.bytes += bytes
      frames += 1
      guard let failure else { return }
      guard let known = failure as? any OperatorError, known.isDamage else { throw failure }
      guard failures.count < Self.failuresMax || failures[frame] != nil else { return moreFailures += 1 }
      failures[frame] = known.message
    }
  }
}
