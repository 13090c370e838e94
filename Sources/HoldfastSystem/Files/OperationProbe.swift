package import HoldfastModel

/// The operations of `FileSystem` and `OpenFile`.
package enum Operation: String, Sendable, CaseIterable {
  case open, create, read, write, synchronize, synchronizeDirectory, rename, link, remove, makeDirectory, truncate
  case status, list, attributes, lock
}

/// Lets tests watch, fail or interrupt any operation. In production there is none.
package protocol OperationProbe: Sendable {
  /// Called before the operation. An error that it throws replaces the operation.
  func willPerform(_ operation: Operation, _ path: Path) throws(SystemError)
  /// Called after the operation succeeded. `newPath` is the destination of a rename or link.
  func didPerform(_ operation: Operation, _ path: Path, newPath: Path?)

  /// Like `willPerform(_:_:)`, for a probe that needs the full path.
  /// - Parameter directory: the directory that a relative `path` is relative to.
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
