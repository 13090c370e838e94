package import HoldfastArchive
package import HoldfastCodec
package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem

/// Writes the archives of one snapshot: it places frames, gathers scattered pages into common frames, and begins the
/// next archive when one is long enough.
///
/// A worker makes and seals a frame for one archive before its place in that archive is known. So when an archive is
/// long enough, the next frames are made for another one, while frames for the first may still come. An archive ends
/// when the caller says that no more frames will come for it.
package final class ArchiveSeries {
  private struct OpenArchive {
    let number: UInt64
    let container: ContainerWriter
    let object: ObjectWriter

    func isLongEnough(_ bytes: UInt64) -> Bool {
      container.length >= bytes || container.frameCount >= Limits.framesPerContainerMax / 2
    }
  }

  private let containers: ContainerStore
  private let source: SourceName
  private let sequence: UInt64
  private let makeObject: (String) throws -> ObjectWriter
  private let archiveBytes: UInt64
  private let parity: ParityCode?
  private let frames: FrameMaker
  private let gathered: Buffer
  private var gatheredFrame: (archive: OpenArchive, frame: UInt32)?
  /// The heads of all archives for which frames may still come, the oldest first. The last head is that of the next
  /// frame.
  private var heads: [ContainerHead] = []
  /// In the order of their numbers.
  private var open: [OpenArchive] = []
  private var nextNumber: UInt64
  private var finished: [Envelope.Archive] = []
  /// Bytes of parity of all archives that have ended.
  package private(set) var parityBytes: UInt64 = 0
  /// The last archives, which are being sent to a remote store. A snapshot may be committed when all of them are
  /// stored.
  package private(set) var underWay: [Future<Void>] = []

  /// - Parameters:
  ///   - firstNumber: the number of the first archive along the chain.
  ///   - gatheredBytes: the maximum number of plain bytes that are gathered into a frame.
  ///   - archiveBytes: stored bytes at which the next archive begins.
  ///   - parity: the parity of each archive; `nil` for none.
  ///   - makeObject: begins an object under a key.
  package init(
    containers: ContainerStore, source: SourceName, sequence: UInt64, firstNumber: UInt64, compression: Compression,
    gatheredBytes: Int = Limits.gatheredFrameBytes, archiveBytes: UInt64 = Limits.archiveBytes,
    parity: ParityCode? = nil, makeObject: @escaping (String) throws -> ObjectWriter
  ) throws {
    self.containers = containers
    self.source = source
    self.sequence = sequence
    self.nextNumber = firstNumber
    self.makeObject = makeObject
    self.archiveBytes = archiveBytes
    self.parity = parity
    gathered = Buffer(capacity: gatheredBytes)
    frames = try FrameMaker(compression, capacity: gatheredBytes)
  }

  // Bytes that are sent after a run has failed would arrive after its lease was given back.
  deinit { for archive in underWay { try? archive.value() } }

  /// Returns the head of the archive for which the next frame is to be made.
  package func headForNextFrame() throws -> ContainerHead {
    if let newest = heads.last, !(open.first { $0.container.head === newest }?.isLongEnough(archiveBytes) ?? false) {
      return newest
    }
    let head = try containers.makeHead(.archive, label: [], parity: parity)
    heads.append(head)
    return head
  }

  /// Ends the archives of heads older than `head`, for which no more frames will come.
  package func endArchives(before head: ContainerHead) throws {
    while let oldest = heads.first, oldest !== head, heads.contains(where: { $0 === head }) {
      heads.removeFirst()
      if let index = open.firstIndex(where: { $0.container.head === oldest }) { try end(open.remove(at: index)) }
    }
  }

  /// Writes a frame that a worker has made for `head`.
  /// - Returns: the location of its first byte.
  package func place(_ frame: StoredFrame, for head: ContainerHead) throws -> PageLocation {
    let archive = try archive(for: head)
    let number = archive.container.reserveFrame()
    try archive.container.write(frame: number, frame)
    return PageLocation(archive: archive.number, frame: number, offset: 0)
  }

  /// Adds pages, at most `gatheredBytes`, to the frame that is being gathered.
  /// - Returns: the location of their first byte.
  package func gather(_ pages: UnsafeRawBufferPointer) throws -> PageLocation {
    if gathered.count + pages.count > gathered.capacity { try flushGathered() }
    let place: (archive: OpenArchive, frame: UInt32)
    if let gatheredFrame {
      place = gatheredFrame
    } else {
      let archive = try archive(for: headForNextFrame())
      place = (archive, archive.container.reserveFrame())
    }
    gatheredFrame = place
    let location = PageLocation(archive: place.archive.number, frame: place.frame, offset: UInt32(gathered.count))
    gathered.append(pages)
    return location
  }

  /// Ends all archives. In a near store they are then durable; in a remote one, when everything in `underWay` is done.
  package func finish() throws -> [Envelope.Archive] {
    while !open.isEmpty {
      let object = try finishContainer(of: open.removeFirst())
      if containers.isNear {
        try object.commit()
      } else {
        underWay.append(containers.store.meanwhile { try object.commit() })
      }
    }
    return finished.sorted { $0.number < $1.number }
  }

  private func archive(for head: ContainerHead) throws -> OpenArchive {
    if let archive = open.last(where: { $0.container.head === head }) { return archive }
    let object = try makeObject(Keys.archive(source, sequence, head.name.id))
    let archive = OpenArchive(
      number: nextNumber, container: try ContainerWriter(head, sink: object, scratch: containers.scratch),
      object: object)
    open.append(archive)
    nextNumber += 1
    return archive
  }

  private func end(_ archive: OpenArchive) throws { try finishContainer(of: archive).commit() }

  /// - Returns: the object, which has all its bytes and is not committed yet.
  private func finishContainer(of archive: OpenArchive) throws -> ObjectWriter {
    if gatheredFrame?.archive.number == archive.number { try flushGathered() }
    let reference = try archive.container.finish()
    parityBytes += archive.container.parityBytes
    finished.append(
      Envelope.Archive(
        number: archive.number, sequence: sequence, id: reference.id, length: reference.length,
        digest: reference.digest))
    return archive.object
  }

  private func flushGathered() throws {
    guard let (archive, number) = gatheredFrame else { return }
    try archive.container.write(frame: number, frames.make(gathered.used, for: archive.container.head))
    gathered.count = 0
    gatheredFrame = nil
  }
}
