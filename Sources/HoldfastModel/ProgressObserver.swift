/// What long work tells about itself. Called on the thread that runs the work, often: implementations decide what to show.
package protocol ProgressObserver: AnyObject {
  /// A new phase begins.
  /// - Parameters:
  ///   - phase: a verb: `reading`, `restoring`, `verifying`.
  ///   - totalBytes: what all that is told by `advance` and `skip` comes to, perhaps estimated; `nil` where nobody can tell.
  func begin(phase: String, totalBytes: UInt64?)
  /// Something is done: read and taken, written, or proved; never what is only planned.
  func advance(bytes: UInt64, files: UInt64)
  /// Something of the total needs no work, such as a file that has not changed.
  func skip(bytes: UInt64)
  /// Something that is as it should be, but may surprise.
  func note(_ message: String)
  /// Something the operator should know, though the work goes on.
  func warn(_ message: String)
}
