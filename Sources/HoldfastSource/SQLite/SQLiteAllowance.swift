package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// Limits the time and memory that a backup spends on databases, for each owner of files. An owner who locks databases,
/// or has endless WALs, delays only his own backup.
package final class SQLiteAllowance: Sendable {
  /// The longest wait for one database at a time.
  static let databaseWait = TimeSpan.seconds(5)
  /// The wait that is always allowed: about as long as a commit takes.
  private static let commitWait = TimeSpan.milliseconds(50)
  /// The most frames of a WAL, or pages of a journal, that are indexed in memory at once. That is 32 MiB of memory for
  /// 16 GiB of 4 KiB pages.
  static let framesMax = 4 << 20

  private struct Spent {
    var waited = TimeSpan.zero
    var frames = 0
  }

  private let spent = Mutex<[UInt32: Spent]>([:])
  private let cancellation: Cancellation
  private let ownerWait: TimeSpan
  private let uptime: @Sendable () -> TimeSpan

  /// - Parameters:
  ///   - ownerWait: the longest wait for all databases of one owner together, beyond what a commit takes.
  ///   - uptime: a clock that never goes back, to measure the waits.
  package init(
    cancellation: Cancellation, ownerWait: TimeSpan = .seconds(10),
    uptime: @escaping @Sendable () -> TimeSpan = Clock.system.uptime
  ) {
    self.cancellation = cancellation
    self.ownerWait = ownerWait
    self.uptime = uptime
  }

  private func elapsed(since begun: TimeSpan) -> TimeSpan { uptime() - begun }

  var isCancelled: Bool { cancellation.isRaised }

  /// Tries again while the database is busy, until the wait of its owner is used up.
  package func patiently<Value>(
    _ owner: UInt32, _ attempt: () throws(SQLiteFailure) -> Value
  ) throws(SQLiteFailure) -> Value {
    var begun: TimeSpan?
    // A wait that succeeds counts too. Otherwise alternating locks could delay the run without end.
    defer { if let begun { spent.withLock { $0[owner, default: Spent()].waited += elapsed(since: begun) } } }
    let left = spent.withLock { ownerWait - ($0[owner]?.waited ?? .zero) }
    let wait = max(Self.commitWait, min(Self.databaseWait, left))
    while true {
      do throws(SQLiteFailure) {
        return try attempt()
      } catch {
        guard error.kind == .busy else { throw error }
        let start = begun ?? uptime()
        begun = start
        guard elapsed(since: start) < wait, !isCancelled else { throw error }
      }
      Pause.forALock()
    }
  }

  /// Returns the status of a file at a moment when every later write must change it: some milliseconds after the last
  /// write, or seconds if the file system stores whole ones.
  /// - Returns: `nil` if the file does not stay unchanged for so long.
  func settledStatus(of file: OpenFile, _ owner: UInt32) -> FileStatus? {
    var seen: (status: FileStatus, since: TimeSpan)?
    return try? patiently(owner) { () throws(SQLiteFailure) in
      guard let now = try? file.status() else { throw .refused("it cannot be examined") }
      if now.isSettled { return now }
      // The file system may use another clock than ours, or the time may have been set. Both clocks go on in any case.
      if let seen, now.isUntouched(since: seen.status) {
        if elapsed(since: seen.since) > now.timeGrain { return now }
      } else {
        seen = (now, uptime())
      }
      throw .busy
    }
  }

  /// Reserves memory for the index of a number of frames, until the result is released.
  /// - Parameter kind: the name of what is indexed, for the message.
  /// - Throws: an error if it would exceed the owner's limit.
  func room(for frames: Int, _ owner: UInt32, of kind: String) throws(SQLiteFailure) -> Room {
    let isTaken = spent.withLock { spent in
      guard (spent[owner]?.frames ?? 0) + frames <= Self.framesMax else { return false }
      spent[owner, default: Spent()].frames += frames
      return true
    }
    guard isTaken else {
      throw .refused("the databases of its owner have more than \(Self.framesMax) \(kind)")
    }
    return Room(frames: frames, owner: owner, of: self)
  }

  final class Room: Sendable {
    private let frames: Int
    private let owner: UInt32
    private let allowance: SQLiteAllowance

    fileprivate init(frames: Int, owner: UInt32, of allowance: SQLiteAllowance) {
      (self.frames, self.owner, self.allowance) = (frames, owner, allowance)
    }

    deinit { allowance.spent.withLock { $0[owner, default: Spent()].frames -= frames } }
  }
}
