internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// The values that the files of one push share: the archive, the writer, and one listing of each directory.
final class WALPushSession: Sendable {
  let archive: WALArchive
  let system: SystemIdentifier
  /// The key of the writer; `nil` in a repository that is not sealed.
  let writer: WriterKey?
  let options: WALPush.Options
  private let names = Mutex<[String: [WALFileName: [UInt64]]]>([:])

  init(_ archive: WALArchive, _ system: SystemIdentifier, _ writer: WriterKey?, _ options: WALPush.Options) {
    (self.archive, self.system, self.writer, self.options) = (archive, system, writer, options)
  }

  /// Returns the numbers of the copies of each file in a directory of the archive, as they were at the first call.
  func firstNames(in directory: String) throws -> [WALFileName: [UInt64]] {
    try names.withLock { names in
      if let known = names[directory] { return known }
      let found = try archive.copies(of: system, in: directory)
      names[directory] = found
      return found
    }
  }
}

/// The order in which the files of one push are committed.
final class WALPushOrder: Sendable {
  /// For each file: opens when its manifest is stored, or its turn has passed.
  private let stored: [Latch]
  private let passed: [Latch]
  /// Opens when the first file was not refused, or has had its turn.
  private let accepted = Latch()
  /// The index of the first file that is not archived.
  private let end: Atomic<Int>

  init(_ count: Int) {
    stored = (0..<count).map { _ in Latch() }
    passed = (0..<count).map { _ in Latch() }
    end = Atomic(count)
  }

  var count: Int { passed.count }

  /// Returns true if a file may still have its turn.
  func reaches(_ index: Int) -> Bool { index <= end.load(ordering: .acquiring) }

  /// Gives no file after this one a turn any more.
  func stop(at index: Int) { end.min(index, ordering: .acquiringAndReleasing) }

  fileprivate func approach(_ index: Int) throws { try wait(index, for: stored) }

  fileprivate func await(_ index: Int) throws { try wait(index, for: passed) }

  private func wait(_ index: Int, for latches: [Latch]) throws {
    guard index > 0 else { return }
    latches[index - 1].wait()
    guard reaches(index) else { throw NotItsTurn() }
  }

  fileprivate func begin(_ index: Int) throws {
    guard index > 0 else { return accepted.open() }
    accepted.wait()
    guard reaches(index) else { throw NotItsTurn() }
  }

  fileprivate func noteStored(_ index: Int) { stored[index].open() }

  fileprivate func pass(_ index: Int) {
    if index == 0 { accepted.open() }
    stored[index].open()
    passed[index].open()
  }
}

/// The turn of one file in a `WALPushOrder`.
struct WALPushTurn: Sendable {
  private let index: Int
  private let order: WALPushOrder?

  /// The turn of a file that is pushed alone.
  init() { (index, order) = (0, nil) }

  init(_ index: Int, in order: WALPushOrder) { (self.index, self.order) = (index, order) }

  /// True if the server has not asked for the file yet.
  var isAhead: Bool { index > 0 }

  /// Waits until the first file of the call was accepted.
  /// - Throws: an error if that was refused: then this file need not be sent.
  func begin() throws { try order?.begin(index) }

  /// Waits until the manifest of the file before is stored, so that the manifest of this one comes next.
  /// - Throws: an error if the file before was not archived.
  func approach() throws { try order?.approach(index) }

  /// Records that the manifest of this file is stored.
  func noteStored() { order?.noteStored(index) }

  /// Waits until the files before this one are committed.
  /// - Throws: an error if one of them was not.
  func await() throws { try order?.await(index) }

  /// Lets the next file have its turn.
  func pass() { order?.pass(index) }
}

/// The error that a file before this one was not archived.
private struct NotItsTurn: Error {}
