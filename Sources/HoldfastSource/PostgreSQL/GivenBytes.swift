internal import HoldfastModel
internal import HoldfastSystem

/// A file of a cluster whose content is an answer of its server.
final class GivenBytes: CapturedBytes {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Int {
    let rest = bytes.dropFirst(Int(clamping: offset)).prefix(buffer.count)
    buffer.copyBytes(from: rest)
    return rest.count
  }

  func nextData(from offset: UInt64, size: UInt64) -> Range<UInt64>? { offset < size ? offset..<size : nil }

  func verdict() -> CaptureVerdict { .whole(.postgresBackup) }

  func extendedAttributes() -> [ExtendedAttribute] { [] }
}
