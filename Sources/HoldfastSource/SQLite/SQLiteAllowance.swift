internal import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// What a backup spends on databases, counted by the owner of their files: whoever locks databases, or has WALs without end, delays nobody's but his own.
package final class SQLiteAllowance: Sendable {
  /// How long one database is waited for at a time.
  static let databaseWait = Duration.seconds(5)
  /// What is waited for in any case: about as long as a commit takes.
  private static let commitWait = Duration.milliseconds(50)
  /// Frames of a WAL, or pages of a journal, whose places are in memory at once: 32 MiB of numbers for 16 GiB of pages of 4 KiB.
  static let framesMax = 4 << 20

  private struct Spent {
    var waited = Duration.zero
    var frames = 0
  }

  private let spent = Mutex<[UInt32: Spent]>([:])
  private let cancellation: Cancellation
  private let ownerWait: Duration

  /// - Parameter ownerWait: how long the databases of one owner are waited for in all, beyond what a commit takes.
  package init(cancellation: Cancellation, ownerWait: Duration = .seconds(10)) {
    self.cancellation = cancellation
    self.ownerWait = ownerWait
  }

  var isCancelled: Bool { cancellation.isRaised }

  /// Tries until nobody is in the way any more, as long as the owner may be waited for.
  package func patiently<Value>(
    _ owner: UInt32, _ attempt: () throws(SQLiteFailure) -> Value
  ) throws(SQLiteFailure) -> Value {
    var begun: ContinuousClock.Instant?
    // Also a wait that ends well counts: whoever locks and unlocks in turn would delay the run without end.
    defer { if let begun { spent.withLock { $0[owner, default: Spent()].waited += ContinuousClock.now - begun } } }
    let left = spent.withLock { ownerWait - ($0[owner]?.waited ?? .zero) }
    let wait = max(Self.commitWait, min(Self.databaseWait, left))
    while true {
      do throws(SQLiteFailure) {
        return try attempt()
      } catch {
        guard error.kind == .busy else { throw error }
        let start = begun ?? ContinuousClock.now
        begun = start
        guard ContinuousClock.now - start < wait, !isCancelled else { throw error }
      }
      Pause.forALock()
    }
  }

  /// The status of a file, as soon as whatever is written from now on has to show in it: some milliseconds after the last write, or seconds where the file system
  /// keeps whole ones.
  /// - Returns: `nil` where it does not hold still for so long.
  func settledStatus(of file: OpenFile, _ owner: UInt32) -> FileStatus? {
    var seen: (status: FileStatus, since: ContinuousClock.Instant)?
    return try? patiently(owner) { () throws(SQLiteFailure) in
      guard let now = try? file.status() else { throw .refused("it cannot be examined") }
      if now.isSettled { return now }
      // The clock that stamps may be another one than ours, or the time may have been set: it goes on in any case.
      if let seen, now.isUntouched(since: seen.status) {
        if ContinuousClock.now - seen.since > now.timeGrain { return now }
      } else {
        seen = (now, ContinuousClock.now)
      }
      throw .busy
    }
  }

  /// Room for the numbers of so many frames, as long as it is kept.
  /// - Parameter kind: what they are, for the message.
  /// - Throws: where it would be more than the owner has.
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
