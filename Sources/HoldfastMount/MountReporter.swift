internal import HoldfastArchive
internal import HoldfastModel
internal import Synchronization

/// Tells the operator what the programs that read the mount learn only as an I/O error. Everything is told once.
final class MountReporter: Sendable {
  /// Beyond so many different warnings no more are told.
  private static let toldMax = 1000
  private let told = Mutex<Set<String>>([])
  /// The nodes of which something is told already, with what: their paths are not looked for again.
  private let placed = Mutex<Set<String>>([])
  private let tell: @Sendable (String) -> Void

  init(_ tell: @escaping @Sendable (String) -> Void) { self.tell = tell }

  func warn(_ message: String) {
    let count = told.withLock { told in told.count <= Self.toldMax && told.insert(message).inserted ? told.count : 0 }
    guard count > 0 else { return }
    tell(count > Self.toldMax ? "there are more than \(Self.toldMax) warnings: no more are told" : message)
  }

  /// Tells why a request failed.
  func failed(_ error: any Error, at node: UInt64, in tree: MountedTree) {
    let error = describe(error)
    guard isNew(error.message, at: node) else { return }
    let hint = error.hint.map { "\nHINT: " + $0 } ?? ""
    warn("\(tree.place(of: node)) cannot be read: \(error.message)\(hint)")
  }

  /// Returns true for what is not told of a node yet. To find the path of a node costs a walk over its snapshot, which
  /// must not be done for each read of a damaged file.
  private func isNew(_ what: String, at node: UInt64) -> Bool {
    guard told.withLock({ $0.count <= Self.toldMax }) else { return false }
    return placed.withLock { $0.count <= Self.toldMax && $0.insert("\(node) \(what)").inserted }
  }

  /// Tells that a file was not captured whole.
  func incomplete(_ consistency: ConsistencyClass, at node: UInt64, in tree: MountedTree) {
    guard isNew(consistency.name, at: node) else { return }
    warn("\(tree.place(of: node)): \(consistency.name) when the snapshot was taken")
  }
}

extension MountedTree {
  /// The file or directory and its snapshot, for messages.
  fileprivate func place(of number: UInt64) -> String {
    guard let node = try? node(number), case .entry(let snapshot, let entry) = node,
      let shown = try? self.snapshot(snapshot)
    else { return "the list of snapshots" }
    let outline = shown.outline
    let path = openedLately(snapshot)?.path(of: entry)
    return "\(path.map { "\($0) in " } ?? "")snapshot \(outline.id.short) of \(outline.source)"
  }
}
