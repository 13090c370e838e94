internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem

/// The archives of one snapshot on their way: places frames, gathers scattered pages into common ones, and begins the next archive when
/// one is long enough.
final class ArchiveSeries {
  private let repository: Repository
  private let source: SourceName
  private let sequence: UInt64
  private let makeObject: (String) throws -> any ObjectWriter
  private let compressor: Compressor
  private let gathered = Buffer(capacity: Limits.gatheredFrameBytes)
  private let stored = Buffer(capacity: Limits.gatheredFrameBytes)
  private var gatheredFrame: UInt32?
  private var object: (any ObjectWriter)?
  private var container: ContainerWriter?
  private var nextNumber: UInt64
  private(set) var finished: [Envelope.Archive] = []

  /// - Parameters:
  ///   - firstNumber: what the first archive is called along the chain.
  ///   - makeObject: begins an object under a key.
  init(
    repository: Repository, source: SourceName, sequence: UInt64, firstNumber: UInt64, compression: Compression,
    makeObject: @escaping (String) throws -> any ObjectWriter
  ) throws {
    self.repository = repository
    self.source = source
    self.sequence = sequence
    self.nextNumber = firstNumber
    self.makeObject = makeObject
    compressor = try Compressor(compression)
  }

  /// Writes a frame that a worker has compressed.
  /// - Returns: where its first byte lies.
  func place(_ frame: CompressedFrame) throws -> PageLocation {
    let container = try currentContainer()
    let number = container.reserveFrame()
    try container.write(
      frame: number, stored: frame.stored, plainCount: frame.plainCount, codec: frame.codec, digest: frame.digest)
    return PageLocation(archive: nextNumber, frame: number, offset: 0)
  }

  /// Adds pages, at most `Limits.gatheredFrameBytes`, to the frame that is being gathered.
  /// - Returns: where their first byte lies.
  func gather(_ pages: UnsafeRawBufferPointer) throws -> PageLocation {
    if gathered.count + pages.count > gathered.capacity { try flushGathered() }
    let container = try currentContainer()
    let frame = gatheredFrame ?? container.reserveFrame()
    gatheredFrame = frame
    let location = PageLocation(archive: nextNumber, frame: frame, offset: UInt32(gathered.count))
    gathered.append(pages)
    return location
  }

  /// Ends the last archive. All of them are durable then.
  func finish() throws -> [Envelope.Archive] {
    try endArchive()
    return finished
  }

  private func currentContainer() throws -> ContainerWriter {
    if let container,
      container.length >= Limits.archiveBytes || container.frameCount >= Limits.framesPerContainerMax - 1
    {
      try endArchive()
    }
    if let container { return container }
    let id = repository.host.random.identifier()
    let object = try makeObject(Keys.archive(source, sequence, id))
    let container = try ContainerWriter(kind: .archive, repository: repository.id, id: id, sink: object)
    self.object = object
    self.container = container
    return container
  }

  private func endArchive() throws {
    try flushGathered()
    guard let container, let object else { return }
    let reference = try container.finish()
    try object.commit()
    finished.append(
      Envelope.Archive(
        number: nextNumber, sequence: sequence, id: reference.id, length: reference.length, digest: reference.digest))
    nextNumber += 1
    self.container = nil
    self.object = nil
  }

  private func flushGathered() throws {
    guard let frame = gatheredFrame, let container else { return }
    let (codec, count) = try compressor.compress(gathered.used, into: stored.bytes)
    stored.count = count
    try container.write(
      frame: frame, stored: stored.used, plainCount: gathered.count, codec: codec, digest: Hasher.digest(stored.used))
    gathered.count = 0
    gatheredFrame = nil
  }
}

/// A frame as a worker leaves it.
struct CompressedFrame {
  let stored: UnsafeRawBufferPointer
  let plainCount: Int
  let codec: FrameCodec
  let digest: Digest
}
