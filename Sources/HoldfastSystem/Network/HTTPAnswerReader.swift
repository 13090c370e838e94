/// Parses an answer as its bytes arrive: HTTP/1.1, RFC 9112. Everything in it may come from a hostile server.
package struct HTTPAnswerReader {
  /// The most bytes of status lines, headers and trailers of an answer and of everything that precedes it.
  package static let headBytesMax = 64 << 10

  /// The end of the body.
  private enum Framing: Equatable {
    case length(Int)
    case chunked
    case untilClose
  }

  /// The kind of the next bytes.
  private enum Stage: Equatable {
    case head
    case body(left: Int)
    case bodyUntilClose
    case chunkSize
    case chunk(left: Int)
    case chunkEnd
    case trailer
    case done
  }

  private let isHead: Bool
  private let bodyBytesMax: Int
  private var stage = Stage.head
  /// The line that is being read, or the whole head.
  private var line: [UInt8] = []
  private var headBytes = 0
  package private(set) var status = 0
  package private(set) var headers: [String: String] = [:]
  package private(set) var body: [UInt8] = []
  /// The number of bytes of the body that went into the buffer of the caller.
  package private(set) var filled = 0
  private var isKept = true

  /// - Parameters:
  ///   - isHead: true for the answer to a HEAD request, which has no body.
  ///   - bodyBytesMax: the most bytes of a body that does not go into the buffer of the caller.
  package init(isHead: Bool, bodyBytesMax: Int) { (self.isHead, self.bodyBytesMax) = (isHead, bodyBytesMax) }

  package var isDone: Bool { stage == .done }
  /// True if another request may be sent over the same connection.
  package var isReusable: Bool { isDone && isKept }

  /// Returns the number of bytes of the body that can be received at once into the buffer of the caller, at `filled`; 0
  /// if the next bytes must go through `take`.
  package func directBytes(buffer: Int) -> Int {
    guard case .body(let left) = stage, goesToBuffer, filled < buffer else { return 0 }
    return min(left, buffer - filled)
  }

  /// True if the body goes into the buffer of the caller, which is so for a success. The body of an error is read as
  /// text.
  private var goesToBuffer: Bool { (200..<300).contains(status) }

  /// Notes the number of bytes that were received into the buffer of the caller.
  package mutating func received(direct count: Int) {
    guard case .body(let left) = stage else { return }
    filled += count
    stage = left == count ? .done : .body(left: left - count)
  }

  /// Notes that the server has closed the connection.
  package mutating func end() throws(ConnectionError) {
    guard stage == .bodyUntilClose else {
      throw .broken("the server closed the connection in the middle of its answer")
    }
    isKept = false
    stage = .done
  }

  /// Takes bytes that have arrived.
  /// - Parameter buffer: gets the body of a success; `nil` to keep it as `body`.
  package mutating func take(
    _ bytes: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer?
  ) throws(ConnectionError) {
    var rest = bytes
    while !rest.isEmpty {
      switch stage {
      case .done: throw .broken("the server sent more than its answer")
      case .head, .chunkSize, .chunkEnd, .trailer: try takeLine(&rest)
      case .body(let left):
        let count = min(left, rest.count)
        try store(&rest, count, into: buffer)
        stage = left == count ? .done : .body(left: left - count)
      case .chunk(let left):
        let count = min(left, rest.count)
        try store(&rest, count, into: buffer)
        stage = left == count ? .chunkEnd : .chunk(left: left - count)
      case .bodyUntilClose: try store(&rest, rest.count, into: buffer)
      }
    }
  }

  private mutating func store(
    _ rest: inout UnsafeRawBufferPointer, _ count: Int, into buffer: UnsafeMutableRawBufferPointer?
  ) throws(ConnectionError) {
    let bytes = UnsafeRawBufferPointer(rebasing: rest[..<count])
    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    if let buffer, goesToBuffer {
      guard count <= buffer.count - filled else { throw .broken("the server sent more bytes than were asked for") }
      UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count]).copyMemory(from: bytes)
      filled += count
    } else {
      guard count <= bodyBytesMax - body.count else { throw .broken("the answer of the server is too long") }
      body.append(contentsOf: bytes)
    }
  }

  // MARK: Lines

  private mutating func takeLine(_ rest: inout UnsafeRawBufferPointer) throws(ConnectionError) {
    let end = rest.firstIndex(of: UInt8(ascii: "\n"))
    let count = end.map { $0 + 1 } ?? rest.count
    // Lines with lengths of parts are limited one by one, because a server may send any number of them.
    if stage == .head || stage == .trailer { headBytes += count }
    guard max(headBytes, line.count + count) <= Self.headBytesMax else {
      throw .broken("the head of the answer is too long")
    }
    line.append(contentsOf: rest[..<count])
    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    guard end != nil else { return }
    switch stage {
    case .head:
      // The head is complete with its first empty line.
      guard line.hasSuffix("\n\n") || line.hasSuffix("\n\r\n") else { return }
      try parseHead()
    case .chunkSize:
      let digits = line.prefix { !" ;\r\n".utf8.contains($0) }
      guard digits.count <= 8, let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0 else {
        throw .broken("a part of the answer has no length")
      }
      stage = size == 0 ? .trailer : .chunk(left: size)
    case .chunkEnd:
      guard line.allSatisfy({ "\r\n".utf8.contains($0) }) else { throw .broken("a part of the answer is too long") }
      stage = .chunkSize
    default:
      // A trailer ends with an empty line. Its contents are ignored.
      if line.allSatisfy({ "\r\n".utf8.contains($0) }) { stage = .done }
    }
    line = []
  }

  private mutating func parseHead() throws(ConnectionError) {
    let lines = String(decoding: line, as: UTF8.self).split(whereSeparator: \.isNewline)
    let words = lines.first?.split(separator: " ", maxSplits: 2) ?? []
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]), (100..<600).contains(status)
    else { throw .broken("the server does not speak HTTP") }
    self.status = status
    headers = [:]
    var lengths: Set<String> = []
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let name = line[..<colon].lowercased()
      let value = Self.withoutBlanks(line[line.index(after: colon)...])
      headers[name] = value
      if name == "content-length" { lengths.insert(value) }
    }
    guard lengths.count <= 1 else { throw .broken("the answer has two lengths") }
    isKept = words[0] == "HTTP/1.1" && headers["connection"]?.lowercased() != "close"
    // Answers such as 100 Continue precede the final one.
    stage = status < 200 ? .head : try bodyStage()
  }

  private static func withoutBlanks(_ value: Substring) -> String {
    let front = value.drop { $0 == " " || $0 == "\t" }
    guard let last = front.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
    return String(front[...last])
  }

  private func bodyStage() throws(ConnectionError) -> Stage {
    switch try framing() {
    case .length(let count): count == 0 ? .done : .body(left: count)
    case .chunked: .chunkSize
    case .untilClose: .bodyUntilClose
    }
  }

  private func framing() throws(ConnectionError) -> Framing {
    if isHead || status == 204 || status == 304 { return .length(0) }
    if let coding = headers["transfer-encoding"] {
      guard coding.lowercased() == "chunked" else { throw .broken("the answer has an unknown encoding") }
      return .chunked
    }
    guard let text = headers["content-length"] else { return .untilClose }
    guard let count = Int(text), count >= 0 else { throw .broken("the length of the answer is no number") }
    return .length(count)
  }
}

extension [UInt8] {
  fileprivate func hasSuffix(_ text: StaticString) -> Bool {
    text.withUTF8Buffer { suffix(text.utf8CodeUnitCount).elementsEqual($0) }
  }
}
