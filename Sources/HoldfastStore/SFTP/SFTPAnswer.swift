internal import HoldfastModel
internal import HoldfastSystem

/// Reads the fields of a packet. No length in it is trusted.
struct SFTPFields {
  private let bytes: [UInt8]
  private var position: Int

  init(_ bytes: [UInt8], from position: Int = 0) { (self.bytes, self.position) = (bytes, position) }

  var isAtEnd: Bool { position == bytes.count }

  mutating func number<Number: FixedWidthInteger>(_: Number.Type) throws(SFTPViolation) -> Number {
    let part = try take(MemoryLayout<Number>.size)
    return part.reduce(0) { $0 << 8 | Number($1) }
  }

  mutating func text() throws(SFTPViolation) -> ArraySlice<UInt8> {
    let count = try number(UInt32.self)
    return try take(Int(count))
  }

  private mutating func take(_ count: Int) throws(SFTPViolation) -> ArraySlice<UInt8> {
    guard count <= bytes.count - position else { throw SFTPViolation("a packet ends in the middle of a field") }
    defer { position += count }
    return bytes[position..<position + count]
  }
}

/// The error that the server has broken the protocol.
package struct SFTPViolation: Error, Equatable {
  package let finding: String
  init(_ finding: String) { self.finding = finding }
}

/// The answer to a request.
package struct SFTPAnswer: Sendable {
  package enum Kind: UInt8, CaseIterable, Sendable {
    case version = 2
    case status = 101
    case handle = 102
    case data = 103
    case names = 104
    case attributes = 105
    case extended = 201
  }

  let kind: Kind
  /// The bytes after the number of the request.
  let bytes: [UInt8]

  package init(kind: Kind, bytes: [UInt8]) { (self.kind, self.bytes) = (kind, bytes) }

  /// A failure that the server reported.
  package struct Failure: Error, Equatable {
    package enum Code: UInt32, Sendable {
      case end = 1
      case noSuchFile = 2
      case permissionDenied = 3
      case failure = 4
      case badMessage = 5
      case noConnection = 6
      case connectionLost = 7
      case unsupported = 8
    }

    package let code: Code
    /// The server's text for people, printable and short.
    package let text: String
  }

  // MARK: Content

  /// Checks that the server did what was asked for.
  /// - Throws: `Failure` if it did not.
  package func done() throws {
    guard kind == .status else { throw SFTPViolation("an answer of another kind than asked for") }
    var fields = SFTPFields(bytes)
    let code = try fields.number(UInt32.self)
    guard code != 0 else { return }
    let text = (try? fields.text()).map { SFTPText.printable($0) } ?? ""
    throw Failure(code: Failure.Code(rawValue: code) ?? .failure, text: text)
  }

  private func expect(_ wanted: Kind) throws {
    if kind == wanted { return }
    try done()
    throw SFTPViolation("an answer of another kind than asked for")
  }

  package func handle() throws -> [UInt8] {
    try expect(.handle)
    var fields = SFTPFields(bytes)
    let handle = try fields.text()
    // The protocol allows no longer handle.
    guard handle.count <= 256 else { throw SFTPViolation("a handle of \(handle.count) bytes") }
    return Array(handle)
  }

  package func attributes() throws -> SFTPAttributes {
    try expect(.attributes)
    var fields = SFTPFields(bytes)
    return try SFTPAttributes(&fields)
  }

  /// Copies bytes of a file into a buffer.
  /// - Returns: the number of bytes, at least 1, and at most as many as were asked for.
  package func data(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try expect(.data)
    var fields = SFTPFields(bytes)
    let data = try fields.text()
    guard data.count <= buffer.count, !data.isEmpty else {
      throw SFTPViolation("\(data.count) bytes of a file where \(buffer.count) were asked for")
    }
    data.withUnsafeBytes { buffer.copyMemory(from: $0) }
    return data.count
  }

  /// Returns names in a directory, including those of the directory itself and its parent.
  package func names() throws -> [(name: [UInt8], attributes: SFTPAttributes)] {
    try expect(.names)
    var fields = SFTPFields(bytes)
    let count = try fields.number(UInt32.self)
    guard count > 0 else { throw SFTPViolation("a listing that does not go on") }
    var names: [(name: [UInt8], attributes: SFTPAttributes)] = []
    for _ in 0..<count {
      let name = try fields.text()
      // The line that `ls -l` would show for the file.
      _ = try fields.text()
      names.append((Array(name), try SFTPAttributes(&fields)))
    }
    return names
  }

  /// Returns the numbers in the answer of an extension.
  package func numbers(_ count: Int) throws -> [UInt64] {
    try expect(.extended)
    var fields = SFTPFields(bytes)
    return try (0..<count).map { _ in try fields.number(UInt64.self) }
  }

  /// Returns the names of the extensions, with their versions.
  package func extensions() throws -> [String: String] {
    var fields = SFTPFields(bytes)
    var found: [String: String] = [:]
    while !fields.isAtEnd {
      let name = String(decoding: try fields.text(), as: UTF8.self)
      found[name] = String(decoding: try fields.text(), as: UTF8.self)
    }
    return found
  }
}

/// The attributes of a file that a server reports.
package struct SFTPAttributes: Equatable {
  package enum Kind: Equatable {
    case file
    case directory
    case other
  }

  private enum Flag {
    static let size: UInt32 = 1
    static let owner: UInt32 = 2
    static let permissions: UInt32 = 4
    static let times: UInt32 = 8
    static let extended: UInt32 = 0x8000_0000
  }

  /// The size in bytes; `nil` if it is not reported.
  package let size: UInt64?
  /// The kind of file; `nil` if it is not reported.
  package let kind: Kind?

  init(_ fields: inout SFTPFields) throws(SFTPViolation) {
    let flags = try fields.number(UInt32.self)
    size = flags & Flag.size == 0 ? nil : try fields.number(UInt64.self)
    if flags & Flag.owner != 0 { _ = try fields.number(UInt64.self) }
    kind = flags & Flag.permissions == 0 ? nil : Self.kind(try fields.number(UInt32.self))
    if flags & Flag.times != 0 { _ = try fields.number(UInt64.self) }
    guard flags & Flag.extended != 0 else { return }
    for _ in 0..<(try fields.number(UInt32.self)) {
      _ = try fields.text()
      _ = try fields.text()
    }
  }

  /// Returns the kind for the type in a mode, as in stat(2).
  private static func kind(_ mode: UInt32) -> Kind {
    switch mode & 0o170000 {
    case 0o100000: .file
    case 0o040000: .directory
    default: .other
    }
  }
}

/// Text that a server or its ssh wrote.
enum SFTPText {
  private static let lengthMax = 300

  /// Returns the text as one line for people, without control characters.
  static func printable(_ bytes: some Collection<UInt8>) -> String {
    let text = String(decoding: bytes.prefix(lengthMax), as: UTF8.self)
    var shown = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { shown.append(Path.isPrintable(scalar) ? scalar : " ") }
    return String(shown)
  }
}
