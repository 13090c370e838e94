/// A path as the bytes that the kernel knows, never as text: two names that Unicode calls equal are two files.
///
/// Paths of entries are relative to the source and joined by `/`; the source itself is the empty path (format.md,
/// section 3).
package struct Path: Hashable, Sendable {
  package var bytes: [UInt8]

  package static let separator = UInt8(ascii: "/")
  package static let root = Path(bytes: [])

  package init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  package init(_ text: some StringProtocol) {
    self.bytes = Array(text.utf8)
  }

  package var isEmpty: Bool { bytes.isEmpty }
  package var isAbsolute: Bool { bytes.first == Self.separator }

  package func appending(_ component: some Sequence<UInt8>) -> Path {
    guard !bytes.isEmpty else { return Path(bytes: Array(component)) }
    var joined = bytes
    if joined.last != Self.separator { joined.append(Self.separator) }
    joined.append(contentsOf: component)
    return Path(bytes: joined)
  }

  package func appending(_ component: some StringProtocol) -> Path {
    appending(Array(component.utf8))
  }

  /// The path without its last component; `nil` for the empty path.
  package var parent: Path? {
    guard !bytes.isEmpty else { return nil }
    guard let slash = bytes.lastIndex(of: Self.separator) else { return .root }
    return Path(bytes: Array(bytes[..<slash]))
  }

  package var lastComponent: ArraySlice<UInt8> {
    guard let slash = bytes.lastIndex(of: Self.separator) else { return bytes[...] }
    return bytes[(slash + 1)...]
  }

  /// True if `other` is this path or lies below it.
  package func contains(_ other: Path) -> Bool {
    if bytes.isEmpty || other.bytes == bytes { return true }
    return other.bytes.count > bytes.count && other.bytes.starts(with: bytes)
      && (other.bytes[bytes.count] == Self.separator || bytes.last == Self.separator)
  }

  /// Runs `body` with the path as a C string; the empty path becomes `.`.
  package func withCString<Result, Failure: Error>(
    _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // On the stack: every system call on a path comes here.
    try withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 2) {
      text -> Swift.Result<Result, Failure> in
      guard let start = text.baseAddress else { preconditionFailure("a terminated string is never empty") }
      UnsafeMutableRawBufferPointer(text).copyBytes(from: bytes)
      let count = bytes.isEmpty ? 1 : bytes.count
      if bytes.isEmpty { start[0] = CChar(bitPattern: UInt8(ascii: ".")) }
      start[count] = 0
      return Swift.Result { () throws(Failure) in try body(start) }
    }.get()
  }
}

// MARK: - Path order

extension Path: Comparable {
  /// Path order (format.md, section 3): by bytes, with `/` below every other byte. So the contents of a directory
  /// follow it directly.
  package static func < (left: Path, right: Path) -> Bool {
    left.bytes.withUnsafeBufferPointer { left in
      right.bytes.withUnsafeBufferPointer { right in
        let common = Swift.min(left.count, right.count)
        for index in 0..<common where left[index] != right[index] {
          if left[index] == separator { return true }
          if right[index] == separator { return false }
          return left[index] < right[index]
        }
        return left.count < right.count
      }
    }
  }
}

// MARK: - Hostile paths

extension Path {
  /// True if this can be the path of an entry: relative, without empty, `.`, `..` or overlong components, and without
  /// NUL.
  package var isSoundEntryPath: Bool {
    if bytes.isEmpty { return true }
    guard bytes.count <= Limits.pathBytesMax else { return false }
    // One pass and no allocation, because this is computed for every entry several times in a run.
    var count = 0
    var isDots = true
    for byte in bytes {
      if byte == Self.separator {
        guard count > 0, !(isDots && count <= 2) else { return false }
        (count, isDots) = (0, true)
        continue
      }
      count += 1
      guard byte != 0, count <= Limits.nameBytesMax else { return false }
      if byte != UInt8(ascii: ".") { isDots = false }
    }
    return count > 0 && !(isDots && count <= 2)
  }
}

// MARK: - Showing a path

extension Path: CustomStringConvertible {
  /// The path for people and JSON: printable UTF-8 unchanged, other bytes as `\xNN`, backslashes doubled. So a name
  /// cannot send control sequences to a terminal, and different names look different.
  package var description: String {
    if bytes.isEmpty { return "." }
    var shown = ""
    var rest = bytes[...]
    while !rest.isEmpty {
      if let (scalar, length) = Self.decodeScalar(rest), Self.isPrintable(scalar) {
        shown.unicodeScalars.append(scalar)
        if scalar == "\\" { shown.unicodeScalars.append(scalar) }
        rest = rest.dropFirst(length)
      } else {
        let byte = rest.removeFirst()
        shown += "\\x" + Hex.encode([byte])
      }
    }
    return shown
  }

  /// True if a scalar can be shown unchanged: it moves no cursor and hides nothing.
  package static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    default: true
    }
  }

  private static func decodeScalar(_ bytes: ArraySlice<UInt8>) -> (Unicode.Scalar, Int)? {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return nil }
    return (scalar, UTF8.width(scalar))
  }
}
