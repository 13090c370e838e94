/// A library that is in use, and which version of it.
package struct LibraryVersion: Sendable, Equatable, CustomStringConvertible {
  package let name: String
  /// `nil` where it is loaded only when it is needed, and not installed.
  package let version: String?

  package init(_ name: String, _ version: String?) {
    self.name = name
    self.version = version
  }

  package var description: String { "\(name) \(version ?? "not installed")" }
}
