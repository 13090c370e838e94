internal import HoldfastArchive
internal import HoldfastModel

/// Tells a store that is far away which frames of a plan come next, in stretches of some MiB, always one stretch ahead:
/// it fetches them while those before are decompressed.
struct FrameAnnouncement {
  private static let stretchBytes: UInt64 = 8 << 20
  private let readers: ArchiveReaders
  /// Extents before these indices are announced; when the first is reached, the next stretch follows.
  private var begun = 0
  private var announced = 0

  /// - Returns: `nil` where reading takes no time on the way.
  init?(_ readers: ArchiveReaders) {
    guard readers.isFarAway else { return nil }
    self.readers = readers
  }

  /// - Parameters:
  ///   - index: of the extent that is fetched now.
  ///   - extents: in the order of frames.
  mutating func arrive(at index: Int, in extents: [PagePlan.Extent]) {
    while announced < extents.count, index >= begun {
      begun = announced
      announceStretch(of: extents)
    }
  }

  /// The frames of one archive that follow, as many as a stretch has. Of one that cannot be opened whoever fetches it
  /// is told.
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
    // A frame that the archive does not have is announced by nobody.
    if numbers.isEmpty { announced += 1 }
    reader.expect(numbers)
  }
}
