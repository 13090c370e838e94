/// Decides to which targets beside home a run may write.
package protocol TargetGate: Sendable {
  /// Called once for each folder and target, before the first object of the folder is sent. It may take as long as it
  /// takes to look at all targets.
  /// - Parameter key: the key of that first object.
  /// - Returns: the reason why the target gets nothing of the folder in this run; `nil` when it has all that home has.
  func obstacle(to key: String, in folder: String, at target: String) -> (any Error)?

  /// Called just before an object is committed at a target.
  /// - Throws: when this run may not write there any more; then the target falls behind.
  func checkOpen(_ key: String, in folder: String, at target: String) throws
}
