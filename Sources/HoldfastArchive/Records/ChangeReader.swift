package import HoldfastModel

/// One change from a parent's state to the next.
package enum Change: Sendable {
  /// An entry that was added or changed. With `inherits`, pages that its extents do not cover are those of the parent.
  case put(Entry, inherits: Bool)
  case remove(Path)

  package var path: Path {
    switch self {
    case .put(let entry, _): entry.path
    case .remove(let path): path
    }
  }
}

/// The extents of one file, in the order of pages.
package protocol PageMapReader {
  mutating func next() throws -> PageExtent?
}

/// Changes in path order: those of a body, or a complete state as changes to an empty one.
package protocol ChangeReader: AnyObject {
  /// The name of what is read, for messages.
  var name: String { get }
  /// Returns the next change; `nil` after the last.
  func next() throws -> Change?
  /// Returns the extents of the file that `next()` gave last. They must be read before the next call of `next()`, or
  /// not at all.
  func extents() throws -> any PageMapReader
}
