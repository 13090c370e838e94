package import HoldfastModel

/// What the only door to files lets through.
package enum Operation: String, Sendable, CaseIterable {
  case open, create, read, write, synchronize, synchronizeDirectory, rename, link, remove, makeDirectory, truncate
  case status, list, attributes, lock
}

/// The seam through which tests watch, fail or cut off any operation. In production there is none.
package protocol OperationProbe: Sendable {
  /// Called before the operation; what it throws takes the place of the operation.
  func willPerform(_ operation: Operation, _ path: Path) throws(SystemError)
  /// Called after the operation succeeded. `newPath` is where a rename or link led.
  func didPerform(_ operation: Operation, _ path: Path, newPath: Path?)

  /// The same, for a probe that has to know where on the disk it is.
  /// - Parameter directory: what a relative `path` is relative to.
  func willPerform(_ operation: Operation, _ path: Path, in directory: Path) throws(SystemError)
  func didPerform(_ operation: Operation, _ path: Path, newPath: Path?, in directory: Path)
}

extension OperationProbe {
  package func willPerform(_ operation: Operation, _ path: Path, in directory: Path) throws(SystemError) {
    try willPerform(operation, path)
  }

  package func didPerform(_ operation: Operation, _ path: Path, newPath: Path?, in directory: Path) {
    didPerform(operation, path, newPath: newPath)
  }
}
