internal import HoldfastArchive
package import HoldfastModel
internal import HoldfastStore

/// Announces to a remote store the frames that will be read next, for as many requests as it takes at once. The store
/// fetches them while earlier frames are decompressed.
package struct FrameAnnouncement {
  private let readers: ArchiveReaders
  private var frames: AnyIterator<PageLocation>
  /// The frame that comes next in `frames`.
  private var next: PageLocation?
  /// For each announced piece, the number of its frames that have not been reached. The store makes one request of a
  /// piece if its frames are neighbours. The first piece is the one that is being read.
  private var pieces: [Int] = []

  /// - Parameter frames: the locations of the frames that will be read, in the order of reading.
  /// - Returns: `nil` when reading has no latency.
  package init?(of frames: some Sequence<PageLocation>, _ readers: ArchiveReaders) {
    guard readers.requestsAhead > 0 else { return nil }
    self.readers = readers
    self.frames = AnyIterator(frames.makeIterator())
    next = self.frames.next()
  }

  /// Must be called before each frame is read.
  package mutating func arrive() {
    if pieces.first == 0 { pieces.removeFirst() }
    while pieces.count <= readers.requestsAhead, let first = next { pieces.append(announcePiece(from: first)) }
    if !pieces.isEmpty { pieces[0] -= 1 }
  }

  /// Announces the next frames of one archive, up to the size of a request. Frames of an archive that cannot be opened
  /// are not announced: the code that reads them gets the error.
  /// - Returns: the number of frames.
  private mutating func announcePiece(from first: PageLocation) -> Int {
    let reader = try? readers.reader(first.archive)
    var (count, bytes) = (0, UInt64(0))
    var numbers: [UInt32] = []
    while let frame = next, frame.archive == first.archive {
      if let reader, frame.frame < reader.frames.count {
        bytes += UInt64(reader.frames[Int(frame.frame)].storedCount)
        guard numbers.isEmpty || bytes <= ReadAheadStore.requestBytes else { break }
        numbers.append(frame.frame)
      }
      count += 1
      next = frames.next()
    }
    reader?.expect(numbers)
    return count
  }
}
