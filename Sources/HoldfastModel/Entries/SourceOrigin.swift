/// The origin of a snapshot, recorded with it as text for people.
package enum SourceOrigin: Hashable, Sendable {
  /// A directory, as its absolute path.
  case directory(String)
  /// The output of a command, as the name of the file that got it.
  case output(String)

  /// - Parameter text: the recorded text. Only a directory is absolute.
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
