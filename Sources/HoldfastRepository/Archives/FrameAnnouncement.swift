internal import HoldfastArchive
internal import HoldfastModel

/// Tells a remote store which frames of a plan will be read next, in stretches of some MiB, one stretch ahead. The
/// store fetches them while earlier frames are decompressed.
struct FrameAnnouncement {
  private static let stretchBytes: UInt64 = 8 << 20
  private let readers: ArchiveReaders
  /// The extents before these indices are announced. When the first index is reached, the next stretch is announced.
  private var begun = 0
  private var announced = 0

  /// - Returns: `nil` when reading has no latency.
  init?(_ readers: ArchiveReaders) {
    guard readers.isFarAway else { return nil }
    self.readers = readers
  }

  /// - Parameters:
  ///   - index: the index of the extent that is being fetched.
  ///   - extents: all extents, in the order of frames.
  mutating func arrive(at index: Int, in extents: [PagePlan.Extent]) {
    while announced < extents.count, index >= begun {
      begun = announced
      announceStretch(of: extents)
    }
  }

  /// Announces the next frames of one archive, up to the size of a stretch. If the archive cannot be opened, the code
  /// that fetches from it gets the error.
  private mutating func announceStretch(of extents: [PagePlan.Extent]) {
    let archive = extents[announced].location.archive
    guard let reader = try? readers.reader(archive) else {
      announced = extents[announced...].firstIndex { $0.location.archive != archive } ?? extents.count
      return
    }
    var numbers: [UInt32] = []
    var bytes: UInt64 = 0
    while announced < extents.count, bytes < Self.stretchBytes {
      let location = extents[announced].location
      guard location.archive == archive, location.frame < reader.frames.count else { break }
      if numbers.last != location.frame {
        numbers.append(location.frame)
        bytes += UInt64(reader.frames[Int(location.frame)].storedCount)
      }
      announced += 1
    }
    // A frame that the archive does not have is not announced.
    if numbers.isEmpty { announced += 1 }
    reader.expect(numbers)
  }
}
