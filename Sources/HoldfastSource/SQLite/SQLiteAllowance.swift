internal import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// What a backup spends on databases, counted by the owner of their files: whoever locks databases, or has WALs without end, delays nobody's but his own.
package final class SQLiteAllowance: Sendable {
  /// How long one database is waited for at a time, and all of an owner's together after they were opened.
  static let databaseWait = Duration.seconds(5)
  private static let ownerWait = Duration.seconds(10)
  /// Frames of a WAL, or pages of a journal, whose places are in memory at once: 32 MiB of numbers for 16 GiB of pages of 4 KiB.
  static let framesMax = 4 << 20

  private struct Spent {
    var waited = Duration.zero
    var frames = 0
  }

  private let spent = Mutex<[UInt32: Spent]>([:])
  private let cancellation: Cancellation

  package init(cancellation: Cancellation) {
    self.cancellation = cancellation
  }

  var isCancelled: Bool { cancellation.isRaised }

  /// Tries until nobody is in the way any more, as long as the owner may be waited for.
  func patiently<Value>(
    _ owner: UInt32, _ attempt: () throws(SQLiteFailure) -> Value
  ) throws(SQLiteFailure) -> Value {
    let begun = ContinuousClock.now
    let wait = spent.withLock { min(Self.databaseWait, Self.ownerWait - ($0[owner]?.waited ?? .zero)) }
    while true {
      do throws(SQLiteFailure) {
        return try attempt()
      } catch {
        guard error.kind == .busy else { throw error }
        guard ContinuousClock.now - begun < wait, !isCancelled else {
          spent.withLock { $0[owner, default: Spent()].waited += ContinuousClock.now - begun }
          throw error
        }
      }
      Pause.forALock()
    }
  }

  /// Room for the numbers of so many frames, as long as it is kept.
  /// - Throws: where it would be more than the owner has.
  func room(for frames: Int, _ owner: UInt32) throws(SQLiteFailure) -> Room {
    let isTaken = spent.withLock { spent in
      guard (spent[owner]?.frames ?? 0) + frames <= Self.framesMax else { return false }
      spent[owner, default: Spent()].frames += frames
      return true
    }
    guard isTaken else {
      throw .refused("the WALs of its owner have more than \(Self.framesMax) frames; a checkpoint makes them shorter")
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
