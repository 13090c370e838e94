/// What a source is, as it is recorded with a snapshot: as text, for people.
package enum SourceOrigin: Hashable, Sendable {
  /// A directory, by its absolute path.
  case directory(String)
  /// What a command printed, by the name of the file that took it.
  case output(String)

  /// - Parameter text: as it is recorded. Only a directory is absolute.
  package init(recorded text: String) {
    self = text.hasPrefix("/") ? .directory(text) : .output(text)
  }

  package var text: String {
    switch self {
    case .directory(let text), .output(let text): text
    }
  }

  package var directory: Path? { if case .directory(let text) = self { Path(text) } else { nil } }
}
