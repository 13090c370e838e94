/// A path within a snapshot as an operator types or pastes it: relative to the source (`orders.db`, `./d/x`, `d//x/`),
/// absolute below the path of the source, or with `\xNN` for a byte, as `ls` and `show` print it.
package struct TypedPath: Hashable, Sendable {
  package let text: String

  package init(_ text: String) { self.text = text }

  /// True if what it means depends on the path of the source.
  package var isAbsolute: Bool { text.hasPrefix("/") }

  /// Returns the path of the entry. `.`, empty components and a trailing slash are ignored. The whole source is `.`,
  /// `/` or its own path, never an empty text.
  /// - Parameter sources: the absolute paths of the source. A path at or below one of them is relative to it; any other
  ///   absolute path is relative to the root of the snapshot.
  /// - Throws: `EngineError` with exit status 2 for a path that no entry can have. `..` is one: a snapshot does not
  ///   follow links, so the directory above need not be the one that a shell would find.
  package func entryPath(below sources: [Path] = []) throws -> Path {
    let path = Self.joined(Self.unescape(Array(text.utf8)))
    let source = isAbsolute ? sources.map { Self.joined($0.bytes) }.first { !$0.isEmpty && $0.contains(path) } : nil
    let entry = source.map { Path(bytes: Array(path.bytes.dropFirst($0.bytes.count + 1))) } ?? path
    guard !text.isEmpty, entry.isSoundEntryPath else {
      throw EngineError(
        .usage, "\"\(text.isEmpty ? "" : Path(text).description)\" is not a path within a snapshot",
        hint: "Give it as `holdfast show --files` prints it.", exitStatus: .usage)
    }
    return entry
  }

  private static func joined(_ bytes: [UInt8]) -> Path {
    let parts = bytes.split(separator: Path.separator).filter { !$0.elementsEqual([UInt8(ascii: ".")]) }
    return Path(bytes: Array(parts.joined(separator: [Path.separator])))
  }

  /// Returns the bytes that a displayed path stands for: the reverse of `Path.description`.
  package static func unescape(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var rest = bytes[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        result.append(byte)
        continue
      }
      if rest.first == UInt8(ascii: "\\") {
        result.append(rest.removeFirst())
      } else if rest.first == UInt8(ascii: "x"),
        let value = Hex.decode(String(decoding: rest.dropFirst().prefix(2), as: UTF8.self)), value.count == 1
      {
        result += value
        rest = rest.dropFirst(3)
      } else {
        result.append(byte)
      }
    }
    return result
  }
}
