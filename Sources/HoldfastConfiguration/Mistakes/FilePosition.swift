package import HoldfastModel

/// A position in a file, written as editors and compilers write it.
package struct FilePosition: Hashable, Sendable, CustomStringConvertible {
  package let file: Path
  /// From 1.
  package let line: Int
  /// From 1, in characters.
  package let column: Int

  package init(_ file: Path, line: Int, column: Int) {
    (self.file, self.line, self.column) = (file, line, column)
  }

  package var description: String { "\(file):\(line):\(column)" }
}
