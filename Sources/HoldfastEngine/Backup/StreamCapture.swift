internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Captures the output of a command as the single file of a snapshot. The bytes come once and in order, and their
/// number is known only at the end. Workers digest, compare and compress them; the entries are recorded when the
/// command has succeeded.
final class StreamCapture {
  // A dump must be as protected as its database.
  private static let fileMode: UInt32 = 0o600
  private static let directoryMode: UInt32 = 0o700

  private let command: ShellCommand
  private let path: Path
  private let host: Host
  private let parent: StateFile?
  private let base: BaseFile?
  private let record: ChangeRecord
  private let progress: any ProgressObserver
  private let pool: OrderedPool<StreamJob>
  private let spool: PageMapSpool
  private var feed: DigestFeed?
  private var pageSize: UInt32?
  private var digest = PageDigestStream()
  private var size: UInt64 = 0

  /// - Parameters:
  ///   - path: the path of the file in the snapshot.
  ///   - parent: the state that the snapshot builds on; the output is compared with its file.
  init(
    _ command: ShellCommand, as path: Path, host: Host, parent: StateFile?, compression: Compression,
    scratch: ScratchSpace, record: ChangeRecord, progress: any ProgressObserver
  ) throws {
    self.command = command
    self.path = path
    self.host = host
    self.parent = parent
    self.record = record
    self.progress = progress
    base = try parent.flatMap { try Self.file(of: $0, at: path) }
    feed = base.map { DigestFeed($0.extents()) }
    pageSize = base?.file.pageSize
    spool = PageMapSpool(scratch)
    pool = try OrderedPool(
      workers: host.workers, capacity: host.workers * 3 + 2, makeJob: { try StreamJob(compression) },
      perform: { $0.perform() })
  }

  /// Refuses to continue the snapshots of a directory with the output of a command.
  /// - Parameter known: the origin of the newest snapshot, if this machine knows it.
  static func check(_ name: SourceName, known: SourceOrigin?) throws {
    guard case .directory(let path) = known else { return }
    throw EngineError(
      .usage, "the source \(name) of this repository is the directory \(path), not the output of a command",
      hint: "Say another --name.")
  }

  /// Returns the file that the output is compared with: the one at its path, otherwise the first; `nil` if there is
  /// none.
  private static func file(of state: StateFile, at path: Path) throws -> BaseFile? {
    let reader = state.makeReader()
    var first: BaseFile?
    while let entry = try reader.nextEntry() {
      guard let file = entry.file, file.consistency != .unreadable else { continue }
      let found = BaseFile(state: state, file: file, mapOffset: reader.mapOffset, isSamePath: entry.path == path)
      if found.isSamePath { return found }
      first = first ?? found
    }
    return first
  }

  /// Captures everything, and waits for the command to succeed.
  func run() throws {
    defer { pool.stop() }
    let owner = try command.stream(host.cancellation) { output in
      while try take(from: output) {}
      try pool.drain(finish)
      return try output.owner()
    }
    guard size > 0 else {
      throw EngineError(
        .machine, "the command printed nothing; nothing was committed", hint: "Run it by itself to see what it says.")
    }
    try writeDown(owner)
  }

  /// Reads the next part of the output.
  /// - Returns: true if there may be more.
  private func take(from output: CommandOutput) throws -> Bool {
    let job = try pool.next(finish)
    let count = try output.read(into: job.buffer.bytes)
    guard count > 0 else { return false }
    host.readLimit?.take(count)
    job.buffer.count = count
    let pageSize = pageSize ?? PageSize.choose(head: job.buffer.used, size: 0, isInPostgreSQL: false)
    self.pageSize = pageSize
    job.pageSize = Int(pageSize)
    job.firstPage = size / UInt64(pageSize)
    job.base = try feed?.take(Int(Pages.count(size: UInt64(count), pageSize: pageSize))) ?? .none
    job.head = try record.headForNextJob()
    size += UInt64(count)
    try pool.submit(finish)
    return count == job.buffer.capacity
  }

  private func finish(_ job: StreamJob) throws {
    defer { job.reset() }
    if let failure = job.failure { throw failure }
    try record.endArchives(before: job.head)
    guard let comparison = job.comparison else { return }
    let location = try record.place(job.buffer, job.frame, for: job.head)
    record.density += job.density
    record.count(comparison.extents)
    digest.add(comparison.digests)
    for extent in comparison.extents { try spool.append(extent.moved(to: location)) }
    record.changes.readBytes += UInt64(job.length)
    progress.advance(bytes: UInt64(job.length), files: 0)
  }

  // MARK: Entries

  private func writeDown(_ owner: (userID: UInt32, groupID: UInt32)) throws {
    let now = host.clock.now()
    let identity = Identity(changed: Timestamp(seconds: 0, nanoseconds: 0), device: 0, inode: 0)
    let attributes = { (mode: UInt32) in
      Attributes(mode: mode, userID: owner.userID, groupID: owner.groupID, modified: now)
    }
    let pageSize = pageSize ?? PageSize.standard
    let content = FileContent(
      size: size, pageSize: pageSize, consistency: .stable, digest: digest.finish(size: size, pageSize: pageSize))
    let root = Entry(
      path: .root, attributes: attributes(Self.directoryMode), content: .directory, identity: identity)
    let file = Entry(path: path, attributes: attributes(Self.fileMode), content: .file(content), identity: identity)
    let known = parent?.makeReader()
    try record.put(root, previous: known?.nextEntry(), inherits: false, extents: nil)
    var old = try known?.nextEntry()
    while let gone = old, gone.path < path {
      try record.remove(gone.path)
      old = try known?.nextEntry()
    }
    let previous = old?.path == path ? old : nil
    if previous != nil { old = try known?.nextEntry() }
    try record.put(file, previous: previous, inherits: base?.isSamePath ?? false, extents: extents(pageSize))
    while let gone = old {
      try record.remove(gone.path)
      old = try known?.nextEntry()
    }
    progress.advance(bytes: 0, files: 1)
  }

  private func extents(_ pageSize: UInt32) throws -> any PageMapReader {
    let inherits = base?.isSamePath ?? false
    return try LargeFile.overlay([spool], inherits ? nil : base, size: size, pageSize, coversAll: !inherits)
  }
}

/// A part of the output with its memory. The pages to store end up in `buffer`. If they fill most of a frame, the
/// worker makes the frame.
private final class StreamJob {
  let buffer = Buffer(capacity: Limits.archiveFrameBytes)
  var firstPage: UInt64 = 0
  var pageSize = 0
  var base = BaseDigests.none
  /// The archive for which the frame is made.
  var head: ContainerHead?
  private(set) var length = 0
  private(set) var comparison: PageComparison?
  private(set) var density = Density.Count()
  private(set) var frame: StoredFrame?
  private(set) var failure: (any Error)?
  private let frames: FrameMaker

  init(_ compression: Compression) throws {
    frames = try FrameMaker(compression, capacity: Limits.archiveFrameBytes)
  }

  func reset() {
    (buffer.count, length, base) = (0, 0, .none)
    (head, comparison, frame, failure) = (nil, nil, nil, nil)
    density = Density.Count()
  }

  /// Runs on a worker.
  func perform() {
    length = buffer.count
    buffer.count = 0
    comparison = PageComparison(buffer: buffer, length: length, firstPage: firstPage, pageSize: pageSize, base: base)
    density = Density.sample(buffer.used)
    guard let head, buffer.count > Limits.gatheredFrameBytes else { return }
    do { frame = try frames.make(buffer.used, for: head) } catch { failure = error }
  }
}
