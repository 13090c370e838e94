internal import Glibc
package import HoldfastModel
package import HoldfastSystem
internal import Synchronization

/// Watches every operation on files, and lets the one that a test chooses fail, or cuts it off.
///
/// After a cut no operation works, as after a kill. `dropUnsynced()` then removes from the disk what was never
/// synchronized, as a power cut may: contents of files without an fsync, and names that were made without an fsync of
/// their directory.
package final class FaultProbe: OperationProbe {
  package enum Fault: Sendable {
    /// The chosen operation fails with this errno, once; everything after it works.
    case fail(Int32)
    /// The chosen operation and all after it fail.
    case cut
  }

  private struct State {
    var count = 0
    var isCut = false
    var log: [(operation: Operation, path: Path)] = []
    /// Files with contents that were written and not synchronized.
    var unsyncedFiles: Set<Path> = []
    /// Names made since the last fsync of their directory: the new name, and for a rename the old one.
    var unsyncedNames: [Path: (name: Path, old: Path?)] = [:]
    var order: [Path] = []
  }

  private let state = Mutex(State())
  private let index: Int?
  private let fault: Fault
  private let operations: Set<Operation>

  /// - Parameters:
  ///   - index: the index of the chosen operation among the watched ones, from 0; `nil` for none.
  ///   - operations: the operations that are watched and counted.
  package init(_ fault: Fault = .cut, at index: Int? = nil, of operations: Set<Operation> = FaultProbe.changing) {
    self.index = index
    self.fault = fault
    self.operations = operations
  }

  /// Continues to watch after a run that was cut off. Files and names that it did not synchronize are still not
  /// synchronized.
  package init(after earlier: FaultProbe) {
    index = nil
    fault = .cut
    operations = Self.changing
    let (files, names, order) = earlier.state.withLock { ($0.unsyncedFiles, $0.unsyncedNames, $0.order) }
    state.withLock { ($0.unsyncedFiles, $0.unsyncedNames, $0.order) = (files, names, order) }
  }

  /// Everything that changes what is stored.
  package static let changing: Set<Operation> = [
    .create, .write, .synchronize, .synchronizeDirectory, .rename, .link, .remove, .makeDirectory, .truncate,
    .attributes,
  ]

  /// The number of watched operations that were begun.
  package var count: Int { state.withLock { $0.count } }
  package var isCut: Bool { state.withLock { $0.isCut } }
  package var log: [(operation: Operation, path: Path)] { state.withLock { $0.log } }

  package func willPerform(_ operation: Operation, _ path: Path, in directory: Path) throws(SystemError) {
    try willPerform(operation, path.isAbsolute ? path : directory.appending(path.bytes))
  }

  package func didPerform(_ operation: Operation, _ path: Path, newPath: Path?, in directory: Path) {
    didPerform(operation, path.isAbsolute ? path : directory.appending(path.bytes), newPath: newPath)
  }

  package func willPerform(_ operation: Operation, _ path: Path) throws(SystemError) {
    let failure: Int32? = state.withLock { state in
      if state.isCut { return EIO }
      guard operations.contains(operation) else { return nil }
      state.log.append((operation, path))
      defer { state.count += 1 }
      guard state.count == index else { return nil }
      switch fault {
      case .fail(let code): return code
      case .cut:
        state.isCut = true
        return EIO
      }
    }
    if let failure { throw SystemError(operation.rawValue, path, code: failure) }
  }

  package func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {
    state.withLock { state in
      switch operation {
      case .create, .makeDirectory, .link:
        state.unsyncedNames[path] = (path, nil)
        state.order.append(path)
      case .write, .truncate: state.unsyncedFiles.insert(path)
      case .synchronize: state.unsyncedFiles.remove(path)
      case .rename:
        guard let newPath else { return }
        if state.unsyncedFiles.remove(path) != nil { state.unsyncedFiles.insert(newPath) }
        state.unsyncedNames[newPath] = (newPath, path)
        state.order.append(newPath)
      case .synchronizeDirectory:
        state.unsyncedNames = state.unsyncedNames.filter { $0.key.parent != path }
      default: break
      }
    }
  }

  /// Changes the disk as a power cut may change it, for everything that was never synchronized. Only for absolute
  /// paths.
  package func dropUnsynced() {
    let (files, names, order) = state.withLock { ($0.unsyncedFiles, $0.unsyncedNames, $0.order) }
    for file in files where file.isAbsolute { TestFiles.truncate(file, to: 0) }
    for path in order.reversed() {
      guard let entry = names[path], path.isAbsolute else { continue }
      if let old = entry.old { TestFiles.rename(path, to: old) } else { TestFiles.removeTree(path) }
    }
  }
}
