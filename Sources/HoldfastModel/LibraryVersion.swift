/// The name and version of a library in use.
package struct LibraryVersion: Sendable, Equatable, CustomStringConvertible {
  package let name: String
  /// `nil` for a library that is loaded only when needed, and is not installed.
  package let version: String?

  package init(_ name: String, _ version: String?) {
    self.name = name
    self.version = version
  }

  package var description: String { "\(name) \(version ?? "not installed")" }
}
