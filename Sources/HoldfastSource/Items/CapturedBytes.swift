package import HoldfastModel
package import HoldfastSystem

/// The bytes of one file while it is captured: its own, or those of a database as it was at one instant. Several
/// threads read it.
package protocol CapturedBytes: AnyObject, Sendable {
  /// Reads the bytes that exist, up to the end.
  /// - Returns: the number of bytes; fewer than asked for only at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int

  /// Returns the next range with data at or after `offset`; `nil` if only holes follow.
  func nextData(from offset: UInt64, size: UInt64) throws(SystemError) -> Range<UInt64>?

  /// True if the file may shrink during the capture. Missing bytes then count as zeros.
  var mayShrink: Bool { get }

  /// Returns the verdict: it says if everything that was read since the attempt began is of one moment.
  func verdict() throws(SystemError) -> CaptureVerdict

  func extendedAttributes() throws(SystemError) -> [ExtendedAttribute]
}

extension CapturedBytes {
  package var mayShrink: Bool { false }
}

/// The result of an attempt to capture a file.
package enum CaptureVerdict: Sendable, Equatable {
  /// All bytes are of one moment. The class says how that is known.
  case whole(ConsistencyClass)
  /// The file changed while it was read.
  case changed
}

/// A plain file. It is whole if its metadata did not change during the attempt.
package final class PlainBytes: CapturedBytes {
  private let handle: OpenFile
  private let before: FileStatus
  private let attempt: Int

  /// - Parameters:
  ///   - before: the status of the file when the attempt began.
  ///   - attempt: the number of the attempt, from 1 on.
  package init(_ handle: OpenFile, before: FileStatus, attempt: Int) {
    self.handle = handle
    self.before = before
    self.attempt = attempt
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
    try handle.read(into: buffer, at: offset)
  }

  package func nextData(from offset: UInt64, size: UInt64) throws(SystemError) -> Range<UInt64>? {
    try handle.nextData(from: offset, size: size)
  }

  package func verdict() throws(SystemError) -> CaptureVerdict {
    guard try handle.status().isUntouched(since: before) else { return .changed }
    return .whole(attempt == 1 ? .stable : .retried)
  }

  package func extendedAttributes() throws(SystemError) -> [ExtendedAttribute] { try handle.extendedAttributes() }
}
