internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// The objects of a snapshot that is being made.
struct SnapshotDraft {
  let snapshot: Identifier
  /// The time before its first object was begun.
  let begun: Timestamp
  let sequence: UInt64
  /// The newest snapshot of the source; `nil` if there is none.
  let newest: Snapshot?
  let archives: ArchiveSeries
  let body: BodyWriter
  /// The head of the body's container.
  let bodyHead: ContainerHead
  let commitBody: () throws -> Void
  private let parityShare: ParityShare

  /// - Parameters:
  ///   - label: the path of the source, as text.
  ///   - newest: the newest snapshot of the source.
  ///   - firstArchive: the number of the first archive along the chain.
  ///   - gatheredBytes: the most plain bytes that are gathered into a frame.
  ///   - archiveBytes: the number of stored bytes at which the next archive begins.
  ///   - parity: the share of lost pages that archives and body can repair.
  ///   - lease: the lease on the source; `nil` for a dry run, which stores nothing.
  init(
    repository: Repository, name: SourceName, label: [UInt8], newest: Snapshot?, firstArchive: UInt64,
    compression: Compression, gatheredBytes: Int = Limits.gatheredFrameBytes,
    archiveBytes: UInt64 = Limits.archiveBytes, parity: ParityShare, under lease: Lease?
  ) throws {
    begun = repository.host.clock.now()
    let random = repository.host.random
    // A number that was seen is never used again, even if its snapshot is gone.
    let seen: [UInt64?] = try [
      repository.catalog.sequences(of: name).last, newest?.sequence, repository.memory?.head(of: name)?.sequence,
      repository.notes.read(name).notes.highest,
    ]
    let known = seen.compactMap { $0 }.max() ?? 0
    // If home was put back, other targets still have what it has lost.
    let elsewhere = repository.highestElsewhere?(name, known) ?? 0
    let sequence = try repository.targets.ownNumbers().next(after: max(known, elsewhere))
    guard sequence <= Limits.sequenceMax else {
      throw EngineError(
        .repository,
        "no number is left for a snapshot of \(name): something in the repository bears the highest there is",
        hint: "Look at \(Keys.source(name)) in \(repository.location), and remove what is no snapshot.",
        exitStatus: .dataLoss)
    }
    if let lease { try Self.removeUnfinished(of: name, sequence, in: repository, under: lease) }
    let makeObject: (String) throws -> ObjectWriter = { key in
      try lease == nil ? ObjectWriter(DiscardedUpload(), connections: 1) : repository.store.create(key)
    }
    bodyHead = try repository.containers.makeHead(.body, label: label, parity: ParityCode(parity))
    let bodyObject = try makeObject(Keys.body(name, sequence, bodyHead.name.id))
    snapshot = random.identifier()
    self.sequence = sequence
    parityShare = parity
    self.newest = newest
    archives = try ArchiveSeries(
      containers: repository.containers, source: name, sequence: sequence, firstNumber: firstArchive,
      compression: compression,
      gatheredBytes: gatheredBytes, archiveBytes: archiveBytes, parity: ParityCode(parity),
      makeObject: makeObject)
    body = try BodyWriter(
      ContainerWriter(bodyHead, sink: bodyObject, scratch: repository.containers.scratch), compression: compression)
    commitBody = { try bodyObject.commit() }
  }

  /// The parity of archives and body, when they have ended; `nil` if they have none.
  var parity: Envelope.Parity? {
    guard !parityShare.isNone else { return nil }
    return Envelope.Parity(parityShare, bytes: archives.parityBytes.saturatingAdding(body.parityBytes))
  }

  /// Removes the objects that a killed run left under the number: in a folder with nothing else they show in no
  /// listing. If this user may only add, they stay, and do not count.
  private static func removeUnfinished(
    of name: SourceName, _ sequence: UInt64, in repository: Repository, under lease: Lease
  ) throws {
    try lease.confirmHeld()
    do {
      try repository.store.removeUnfinished(in: Keys.snapshot(name, sequence))
    } catch StoreError.removalRefused {}
  }
}

/// Takes the bytes of an object of a dry run, and stores nothing.
private final class DiscardedUpload: ObjectUpload {
  var partBytes: Int? { nil }
  func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {}
  func commit() {}
  func abort() {}
}
