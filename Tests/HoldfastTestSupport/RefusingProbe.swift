package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// Refuses operations like a kernel or a file system that does not have them: each time, or the first few times.
package final class RefusingProbe: OperationProbe {
  private let codes: [Operation: Int32]
  private let left: Mutex<[Operation: Int]>
  private let inner: (any OperationProbe)?

  /// - Parameters:
  ///   - codes: the errno for each operation.
  ///   - times: the number of times for each operation; one that is missing here is refused each time.
  ///   - inner: gets the operations that are not refused.
  package init(
    _ codes: [Operation: Int32], times: [Operation: Int] = [:], then inner: (any OperationProbe)? = nil
  ) {
    self.codes = codes
    left = Mutex(times)
    self.inner = inner
  }

  package func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
    try willPerform(operation, path, in: .root)
  }

  package func willPerform(_ operation: Operation, _ path: Path, in directory: Path) throws(SystemError) {
    if let code = codes[operation], isLeft(operation) { throw SystemError(operation.rawValue, path, code: code) }
    try inner?.willPerform(operation, path, in: directory)
  }

  private func isLeft(_ operation: Operation) -> Bool {
    left.withLock { left in
      guard let times = left[operation] else { return true }
      left[operation] = times - 1
      return times > 0
    }
  }

  package func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {
    didPerform(operation, path, newPath: newPath, in: .root)
  }

  package func didPerform(_ operation: Operation, _ path: Path, newPath: Path?, in directory: Path) {
    inner?.didPerform(operation, path, newPath: newPath, in: directory)
  }
}
