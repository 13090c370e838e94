internal import HoldfastCodec
internal import HoldfastModel

/// The index of a container, kept as its bytes. A million frames take 56 MiB; an entry is decoded when it is read.
package struct FrameIndex: RandomAccessCollection, Sendable {
  private let bytes: [UInt8]
  /// Plain bytes of all frames; `plainBytesMax` is the size of the largest.
  package let plainBytes: UInt64
  package let plainBytesMax: Int

  package var startIndex: Int { 0 }
  package var endIndex: Int { bytes.count / ContainerLayout.indexEntryCount }
  /// The memory that the index takes, in bytes.
  package var byteCount: Int { bytes.count }

  /// - Parameters:
  ///   - bytes: 56 for each frame, already checked against the manifest.
  ///   - range: the bytes of the object that the frames must fill.
  /// - Throws: `DamageError` when an entry is not valid, or frames overlap or leave gaps.
  init(_ bytes: [UInt8], filling range: Range<UInt64>, isSealed: Bool, name: String) throws {
    self.bytes = bytes
    var (plain, largest): (UInt64, Int) = (0, 0)
    var position = range.lowerBound
    var isInOrder = true
    var ranges: [(offset: UInt64, end: UInt64)] = []
    let count = bytes.count / ContainerLayout.indexEntryCount
    let unsound = DamageError(name, "an entry of its index is not sound")
    let gap = DamageError(name, "its frames overlap or leave gaps")
    try bytes.withUnsafeBytes { bytes in
      func entry(_ number: Int) -> ContainerLayout.FrameFields? {
        ContainerLayout.fields(
          UnsafeRawBufferPointer(rebasing: bytes[number * ContainerLayout.indexEntryCount..<bytes.count]))
      }
      for number in 0..<count {
        guard let frame = entry(number), Self.isSound(frame, isSealed: isSealed) else { throw unsound }
        plain += UInt64(frame.plainCount)
        largest = Swift.max(largest, Int(frame.plainCount))
        guard frame.offset >= range.lowerBound, frame.offset <= range.upperBound else { throw gap }
        if frame.offset != position { isInOrder = false }
        position = frame.offset + UInt64(frame.storedCount)
      }
      guard !isInOrder else { return }
      ranges.reserveCapacity(count)
      for number in 0..<count {
        guard let frame = entry(number) else { throw unsound }
        ranges.append((frame.offset, frame.offset + UInt64(frame.storedCount)))
      }
    }
    (plainBytes, plainBytesMax) = (plain, largest)
    if !isInOrder {
      ranges.sort { $0.offset < $1.offset }
      position = range.lowerBound
      for range in ranges {
        guard range.offset == position else { throw gap }
        position = range.end
      }
    }
    guard position == range.upperBound else { throw gap }
  }

  private static func isSound(_ frame: ContainerLayout.FrameFields, isSealed: Bool) -> Bool {
    isSealed
      ? frame.sealNumber <= SealedPart.frameNumberMax && Int(frame.storedCount) > SealingKey.tagByteCount
      : frame.sealNumber == 0
  }

  package subscript(number: Int) -> FrameEntry {
    let start = number * ContainerLayout.indexEntryCount
    guard let entry = ContainerLayout.frameEntry(bytes[start..<start + ContainerLayout.indexEntryCount]) else {
      preconditionFailure("every entry was sound when the index was made")
    }
    return entry
  }

  /// The numbers of the frames in the order in which they lie in the container.
  var inStoredOrder: [UInt32] {
    let numbers = (0..<UInt32(count))
    let offsets = numbers.map { self[Int($0)].offset }
    return zip(offsets, offsets.dropFirst()).allSatisfy { $0 < $1 }
      ? Array(numbers) : numbers.sorted { offsets[Int($0)] < offsets[Int($1)] }
  }

  /// The stored bytes of the largest frame.
  var storedBytesMax: Int { lazy.map { Int($0.storedCount) }.max() ?? 0 }
}
