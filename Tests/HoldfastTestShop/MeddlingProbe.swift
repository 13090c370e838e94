package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// Does something just before chosen operations on one file: what a server does while its files are captured.
package final class MeddlingProbe: OperationProbe {
  private let operation: Operation
  private let name: Path
  private let count = Mutex(0)
  private let meddle: @Sendable (_ time: Int) throws(SystemError) -> Void

  /// - Parameters:
  ///   - path: as the capture names it, relative to the source.
  ///   - meddle: gets how often it was called before; what it throws takes the place of the operation.
  package init(
    before operation: Operation, of path: String,
    _ meddle: @escaping @Sendable (_ time: Int) throws(SystemError) -> Void
  ) {
    self.operation = operation
    self.name = Path(path)
    self.meddle = meddle
  }

  /// How often the operation came.
  package var times: Int { count.withLock { $0 } }

  package func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
    guard operation == self.operation, path == name else { return }
    let time = count.withLock { count in
      count += 1
      return count - 1
    }
    try meddle(time)
  }

  package func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
}
