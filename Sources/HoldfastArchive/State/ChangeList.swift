package import HoldfastModel

/// The changes of one body in path order, without the pages: which entries were added or changed, and which paths were
/// removed. As bytes, so that those that nobody asks for cost nothing.
package struct ChangeList: Sendable, Equatable {
  package private(set) var bytes: [UInt8]
  private var last = Path.root

  package init(bytes: [UInt8] = []) { self.bytes = bytes }

  /// Adds the next change in path order.
  package mutating func append(_ change: Change) {
    var encoder = ByteEncoder()
    var described = ByteEncoder()
    if case .put(let entry, _) = change {
      described.state(of: entry)
      described.identity(of: entry)
    }
    encoder.path(change.path, after: last)
    encoder.counted(described.bytes)
    bytes += encoder.bytes
    last = change.path
  }

  /// Returns the changes of the wanted paths, in path order. No entry says that it inherits.
  /// - Throws: `DamageError` for bytes that `append` has not written.
  package func changes(where isWanted: (Path) -> Bool) throws -> [Change] {
    let cursor = ByteCursor(BlockSupply(bytes, name: "the local cache"))
    var (path, changes) = (Path.root, [Change]())
    while try !cursor.isAtEnd() {
      path = try cursor.path(after: path)
      let count = try cursor.varint(as: Int.self, max: bytes.count)
      if !isWanted(path) {
        try cursor.skip(count)
      } else if count == 0 {
        changes.append(.remove(path))
      } else {
        changes.append(.put(try cursor.entry(at: path), inherits: false))
      }
    }
    return changes
  }
}
