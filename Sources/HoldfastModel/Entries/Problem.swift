/// Something that could not be captured, or not restored exactly. It is named, and the run counts as incomplete.
package struct Problem: Sendable, Hashable {
  package let path: Path
  package let reason: String

  package init(path: Path, reason: String) {
    self.path = path
    self.reason = reason
  }
}
