package import HoldfastModel
package import HoldfastSystem

/// Where the bytes of one file come from while it is captured: the file itself, or a database as it was at one instant. Read by several threads.
package protocol CapturedBytes: AnyObject, Sendable {
  /// Reads what is there, up to the end.
  /// - Returns: the count of bytes, less than asked for only at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int

  /// The next stretch that holds data, from `offset` on; `nil` when only holes follow.
  func nextData(from offset: UInt64, size: UInt64) throws(SystemError) -> Range<UInt64>?

  /// Whether it is as good when it ends earlier by now: what is missing counts as zeros.
  var mayShrink: Bool { get }

  /// What was read since the attempt began: is it of one moment?
  func verdict() throws(SystemError) -> CaptureVerdict

  func extendedAttributes() throws(SystemError) -> [ExtendedAttribute]
}

extension CapturedBytes {
  package var mayShrink: Bool { false }
}

/// How an attempt to capture a file ended.
package enum CaptureVerdict: Sendable, Equatable {
  /// Everything is of one moment; the class says how that is known.
  case whole(ConsistencyClass)
  /// It changed while it was read.
  case changed
}

/// A file as it lies there: whole when nothing about it changed from beginning to end.
package final class PlainBytes: CapturedBytes {
  private let handle: OpenFile
  private let before: FileStatus
  private let attempt: Int

  /// - Parameters:
  ///   - before: its status when the attempt began.
  ///   - attempt: 1 for the first.
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
