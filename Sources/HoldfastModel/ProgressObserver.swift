/// Gets the progress of long work. Called often, on the thread that runs the work: implementations decide what to show.
package protocol ProgressObserver: AnyObject {
  /// A new phase begins.
  /// - Parameters:
  ///   - phase: a verb: `reading`, `restoring`, `verifying`.
  ///   - totalBytes: the expected sum of all bytes given to `advance` and `skip`; `nil` when it is not known.
  func begin(phase: String, totalBytes: UInt64?)
  /// Work was done: read and processed, written, or verified; never only planned.
  func advance(bytes: UInt64, files: UInt64)
  /// A part of the total needs no work, such as an unchanged file.
  func skip(bytes: UInt64)
  /// Something that is right, but may surprise.
  func note(_ message: String)
  /// Something that the operator should know, although the work goes on.
  func warn(_ message: String)
}
