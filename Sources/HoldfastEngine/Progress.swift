/// What long work tells about itself. Called on the thread that runs the work, often: implementations decide what to show.
package protocol ProgressObserver: AnyObject {
  /// A new phase begins.
  /// - Parameters:
  ///   - phase: a verb: `reading`, `restoring`, `verifying`.
  ///   - totalBytes: `nil` where it is not known beforehand.
  func begin(phase: String, totalBytes: UInt64?)
  func advance(bytes: UInt64, files: UInt64)
  /// Something that is as it should be, but may surprise.
  func note(_ message: String)
  /// Something the operator should know, though the work goes on.
  func warn(_ message: String)
}
