internal import HoldfastArchive
internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// One step of the walk over the source, in path order. A worker reads the contents for steps that need it; the other
/// steps only keep their position.
enum CaptureStep {
  case unchanged(Entry)
  /// An entry without contents that was added or changed.
  case put(Entry, previous: Entry?)
  case removed(Path)
  /// A file with the name of a database's companion. It is left out if that database is captured as its programs see
  /// it.
  case companion(ScannedItem, previous: Entry?)
  case smallFile(SmallFile)
  case chunk(Chunk)
  /// A hole in a large file: its number of pages, and the extents of it that were not zeros before.
  case hole(LargeFile, pageCount: UInt64, changed: [PageExtent])
  /// Pages of a large file that are proved to be as the base has them, with their digests.
  case known(LargeFile, pageCount: UInt64, digests: [UInt8])
  /// The last step of a large file.
  case end(LargeFile)
}

/// A file that fits into a job together with others.
final class SmallFile {
  enum Outcome {
    case captured(Entry, extents: [PageExtent])
    case vanished
    case unreadable(reason: String)
    /// The file has become too large for the job, or a database.
    case outgrown
  }

  let item: ScannedItem
  let previous: Entry?
  let base: BaseFile?
  let baseDigests: BaseDigests
  var outcome = Outcome.vanished
  /// True if the name still leads to the file that the scan saw.
  var isSameFile = false
  /// The error for which its extended attributes could not be read; `nil` if they were.
  var attributeProblem: SystemError?

  init(item: ScannedItem, previous: Entry?, base: BaseFile?, baseDigests: BaseDigests) {
    self.item = item
    self.previous = previous
    self.base = base
    self.baseDigests = baseDigests
  }
}

/// A part of a large file.
final class Chunk {
  let file: LargeFile
  let offset: UInt64
  let length: Int
  let baseDigests: BaseDigests
  /// The digests of its pages. The worker sets this and the following properties.
  var digests: [UInt8] = []
  var extents: [PageExtent] = []
  var isCutShort = false
  var failure: SystemError?
  /// The pages of a sample that differ from the parent.
  var different: [PageSample.Look] = []

  init(file: LargeFile, offset: UInt64, length: Int, baseDigests: BaseDigests) {
    self.file = file
    self.offset = offset
    self.length = length
    self.baseDigests = baseDigests
  }
}

/// A few steps that are performed together, with their memory. The pages to store end up in `buffer`. If they fill most
/// of a frame, the worker compresses them at once; otherwise they are gathered with the pages of other jobs.
final class CaptureJob {
  static let stepsMax = 256
  /// The most bytes that are gathered instead of making a frame of their own.
  private static let gatheredBytesMax = Limits.gatheredFrameBytes
  private static let attemptsMax = 3

  var steps: [CaptureStep] = []
  /// The number of bytes that the steps are expected to read, according to the scan.
  var plannedBytes = 0
  private(set) var readBytes: UInt64 = 0
  private(set) var density = Density.Count()
  private var frameBytes: FrameBytes?
  private(set) var frame: StoredFrame?
  /// The archive for which the frame is made. Set before the job is performed.
  var head: ContainerHead?
  private(set) var failure: (any Error)?
  let buffer = Buffer(capacity: Limits.archiveFrameBytes)
  private let frames: FrameMaker
  private let files: FileSystem
  private let limit: RateLimit?

  init(host: Host, compression: Compression) throws {
    files = host.files
    limit = host.readLimit
    frames = try FrameMaker(compression, capacity: Limits.archiveFrameBytes)
  }

  func reset() {
    steps.removeAll(keepingCapacity: true)
    plannedBytes = 0
    readBytes = 0
    density = Density.Count()
    frameBytes = nil
    frame = nil
    head = nil
    failure = nil
    buffer.count = 0
  }

  /// Performs jobs on a worker. The frames of all jobs are digested together.
  static func perform(_ jobs: [CaptureJob]) {
    for job in jobs { job.makeFrame() }
    let made = jobs.filter { $0.frameBytes != nil }
    for (job, frame) in zip(made, StoredFrame.digest(made.compactMap(\.frameBytes))) { job.frame = frame }
  }

  private func makeFrame() {
    do {
      for step in steps {
        switch step {
        case .smallFile(let file): capture(file)
        case .chunk(let chunk): capture(chunk)
        default: break
        }
      }
      density = Density.sample(buffer.used)
      guard let head, buffer.count > Self.gatheredBytesMax else { return }
      frameBytes = try frames.makeBytes(buffer.used, for: head)
    } catch {
      failure = error
    }
  }

  // MARK: Large files

  private func capture(_ chunk: Chunk) {
    do throws(SystemError) {
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer.free[..<chunk.length])
      limit?.take(chunk.length)
      let count = try chunk.file.source.read(into: room, at: chunk.offset)
      readBytes += UInt64(count)
      if count < chunk.length {
        chunk.isCutShort = true
        UnsafeMutableRawBufferPointer(rebasing: room[count...]).initializeMemory(as: UInt8.self, repeating: 0)
      }
    } catch {
      chunk.failure = error
      return
    }
    let pageSize = Int(chunk.file.pageSize)
    let firstPage = chunk.offset / UInt64(pageSize)
    let looks =
      chunk.file.sample?.looks(
        at: UnsafeRawBufferPointer(rebasing: buffer.free[..<chunk.length]), from: firstPage, pageSize: pageSize) ?? []
    let comparison = PageComparison(
      buffer: buffer, length: chunk.length, firstPage: firstPage, pageSize: pageSize, base: chunk.baseDigests)
    chunk.digests = comparison.digests
    chunk.extents = comparison.extents
    chunk.different = PageSample.different(looks, comparison.extents)
  }

  // MARK: Small files

  private func capture(_ file: SmallFile) {
    do throws(SystemError) {
      let handle = try file.item.open(files)
      file.isSameFile = try handle.status().isSameFile(as: file.item.status)
      for attempt in 1...Self.attemptsMax {
        let before = try handle.status()
        guard before.kind == .file else {
          file.outcome = .unreadable(reason: "it was replaced by something that is no file while it was read")
          return
        }
        guard before.size <= UInt64(room(for: file)) else {
          file.outcome = .outgrown
          return
        }
        let length = Int(before.size)
        limit?.take(length)
        let count = try handle.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer.free[..<length]), at: 0)
        readBytes += UInt64(count)
        // A file that has become a database since the survey may have writers. It counts as outgrown: when the job
        // comes back, it is opened again and examined.
        let head = UnsafeRawBufferPointer(rebasing: buffer.free[..<min(count, PageSize.headCount)])
        if !before.isUntouched(since: file.item.status), SQLiteCandidate.isBeginning(head) {
          file.outcome = .outgrown
          return
        }
        let isWhole = try handle.status().isUntouched(since: before) && count == length
        guard isWhole || attempt == Self.attemptsMax else { continue }
        if count < length {
          UnsafeMutableRawBufferPointer(rebasing: buffer.free[count..<length]).initializeMemory(
            as: UInt8.self, repeating: 0)
        }
        let consistency: ConsistencyClass = !isWhole ? .torn : (attempt == 1 ? .stable : .retried)
        finish(file, status: before, extended: extendedAttributes(of: file, handle), consistency: consistency)
        return
      }
    } catch {
      file.outcome = error.isNotFound ? .vanished : .unreadable(reason: error.reason)
    }
  }

  private func extendedAttributes(of file: SmallFile, _ handle: OpenFile) -> [ExtendedAttribute] {
    do throws(SystemError) {
      return try handle.extendedAttributes()
    } catch {
      file.attributeProblem = error
      return []
    }
  }

  /// Returns the number of bytes that a file may have without taking the room of the files after it.
  private func room(for file: SmallFile) -> Int {
    steps.count == 1 ? buffer.free.count : min(Int(clamping: file.item.status.size), buffer.free.count)
  }

  private func finish(
    _ file: SmallFile, status: FileStatus, extended: [ExtendedAttribute], consistency: ConsistencyClass
  ) {
    let length = Int(status.size)
    let head = UnsafeRawBufferPointer(rebasing: buffer.free[..<min(length, PageSize.headCount)])
    let pageSize =
      file.base?.file.pageSize
      ?? PageSize.choose(head: head, size: status.size, isInPostgreSQL: file.item.isInPostgreSQL)
    let comparison = PageComparison(
      buffer: buffer, length: length, firstPage: 0, pageSize: Int(pageSize), base: file.baseDigests)
    var digest = PageDigestStream()
    digest.add(comparison.digests)
    let content = FileContent(
      size: status.size, pageSize: pageSize, consistency: consistency,
      digest: digest.finish(size: status.size, pageSize: pageSize))
    let entry = Entry(
      path: file.item.path, attributes: status.attributes(extended: extended), content: .file(content),
      identity: file.attributeProblem == nil ? status.identity : status.identity.ofIncomplete)
    file.outcome = .captured(entry, extents: comparison.extents)
  }
}
