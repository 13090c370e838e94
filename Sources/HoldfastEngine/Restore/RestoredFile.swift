internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem
internal import Synchronization

/// A file that is being restored. It is made, or moved to the staging directory, when its first page arrives, and gets
/// its attributes after the last page.
final class RestoredFile: PageSink, Sendable {
  /// The object that existed before.
  enum Origin: Sendable {
    case nothing
    /// A file of the target with its status when it was compared. It is moved to the staging directory and changed
    /// there.
    case target(FileStatus)
    /// A file that an interrupted restore left in the staging directory.
    case staging
  }

  private struct Progress {
    var handle: OpenFile?
    var isPrepared = false
    /// The number of extents that are still to be written, and one more until the planner has announced all.
    var pending = 1
    var zeroRanges: [Range<UInt64>] = []
  }

  let entry: Entry
  let content: FileContent
  private let staging: StagingArea
  private let origin: Origin
  private let progress = Mutex(Progress())

  init(_ entry: Entry, content: FileContent, origin: Origin, staging: StagingArea) {
    self.entry = entry
    self.content = content
    self.origin = origin
    self.staging = staging
  }

  /// Announces one more extent.
  func expectExtent() { progress.withLock { $0.pending += 1 } }

  /// Announces a range of bytes that becomes zero over existing content.
  func expectZeros(_ range: Range<UInt64>) throws {
    try progress.withLock { progress in
      guard progress.isPrepared else { return progress.zeroRanges.append(range) }
      let handle = try progress.handle ?? staging.reopen(entry.path)
      try handle.makeZero(at: range.lowerBound, count: UInt64(range.count))
    }
  }

  /// Moves the file away from its name before anything else changes.
  func takeAway() throws { _ = try opened() }

  /// Tells that all extents were announced.
  func allAnnounced() throws { try countDown() }

  func write(_ pages: UnsafeRawBufferPointer, at offset: UInt64) throws {
    try opened().write(pages, at: offset)
    staging.verified(bytes: UInt64(pages.count))
    try countDown()
  }

  private func countDown() throws {
    let isLast = progress.withLock { progress in
      progress.pending -= 1
      return progress.pending == 0
    }
    guard isLast else { return }
    let handle = try opened()
    staging.attributes.apply(entry, to: handle)
    progress.withLock { $0.handle = nil }
    staging.closed()
    staging.complete(entry.path)
  }

  private func opened() throws -> OpenFile {
    try progress.withLock { progress in
      if let handle = progress.handle { return handle }
      if progress.isPrepared { return try staging.reopen(entry.path) }
      let handle = try prepare()
      for range in progress.zeroRanges { try handle.makeZero(at: range.lowerBound, count: UInt64(range.count)) }
      progress.isPrepared = true
      if staging.mayKeepOpen() { progress.handle = handle }
      return handle
    }
  }

  private func prepare() throws -> OpenFile {
    let handle: OpenFile
    switch origin {
    case .nothing: handle = try staging.create(entry.path)
    case .target(let known): handle = try staging.moveIn(entry.path, knownAs: known)
    case .staging: handle = try staging.reopen(entry.path)
    }
    try handle.truncate(to: content.size)
    return handle
  }
}
