import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// An answer is the same however its bytes arrive. What is no answer is an error that costs neither memory nor time.
@Suite struct HTTPAnswerReaderTests {
  private static let bodyBytesMax = 100_000

  /// What was read.
  private struct Outcome: Equatable, CustomStringConvertible {
    var status = 0
    var headers: [String: String] = [:]
    var body: [UInt8] = []
    var isReusable = false
    var error: ConnectionError?

    var description: String { error?.message ?? "\(status) \(headers) with \(body.count) bytes" }
  }

  /// - Parameters:
  ///   - pieces: the bytes of the answer, as they arrive.
  ///   - bufferBytes: the length of the caller's buffer; `nil` when it has none.
  ///   - endsAfterwards: whether the server closes the connection behind them.
  private func read(
    _ pieces: [[UInt8]], isHead: Bool = false, bufferBytes: Int? = nil, endsAfterwards: Bool = true
  ) -> Outcome {
    var reader = HTTPAnswerReader(isHead: isHead, bodyBytesMax: Self.bodyBytesMax)
    var buffer = [UInt8](repeating: 0, count: bufferBytes ?? 0)
    var outcome = Outcome()
    buffer.withUnsafeMutableBytes { memory in
      do throws(ConnectionError) {
        for piece in pieces { try receive(piece, &reader, bufferBytes == nil ? nil : memory) }
        if endsAfterwards, !reader.isDone { try reader.end() }
      } catch {
        outcome.error = error
      }
    }
    outcome.status = reader.status
    outcome.headers = reader.headers
    outcome.body = Array(buffer[..<reader.filled]) + reader.body
    outcome.isReusable = reader.isReusable
    return outcome
  }

  /// As a connection does: what it can, it receives into the caller's buffer.
  private func receive(
    _ piece: [UInt8], _ reader: inout HTTPAnswerReader, _ buffer: UnsafeMutableRawBufferPointer?
  ) throws(ConnectionError) {
    var rest = piece[...]
    let direct = min(rest.count, buffer.map { reader.directBytes(buffer: $0.count) } ?? 0)
    if direct > 0, let buffer {
      UnsafeMutableRawBufferPointer(rebasing: buffer[reader.filled...]).copyBytes(from: rest.prefix(direct))
      reader.received(direct: direct)
      rest = rest.dropFirst(direct)
    }
    var thrown: ConnectionError?
    Array(rest).withUnsafeBytes { bytes in
      do throws(ConnectionError) { try reader.take(bytes, into: buffer) } catch { thrown = error }
    }
    if let thrown { throw thrown }
  }

  private func read(
    _ text: String, isHead: Bool = false, bufferBytes: Int? = nil, endsAfterwards: Bool = true
  ) -> Outcome {
    read([Array(text.utf8)], isHead: isHead, bufferBytes: bufferBytes, endsAfterwards: endsAfterwards)
  }

  // MARK: Sound answers

  /// An answer that is drawn at random, and what is in it.
  private func draw(_ random: inout SeededRandom) -> (bytes: [UInt8], isHead: Bool, expected: Outcome) {
    var expected = Outcome()
    expected.status = [200, 206, 404, 412, 503].randomElement(using: &random) ?? 200
    expected.headers = ["etag": "\"a:b\"", "x-empty": ""]
    expected.isReusable = true
    var head = "HTTP/1.1 \(expected.status) Some Words\r\nETag:\t \"a:b\" \r\nX-Empty:\r\n"
    if Int.random(in: 0..<4, using: &random) == 0 {
      (head, expected.isReusable) = (head + "Connection: close\r\n", false)
      expected.headers["connection"] = "close"
    }
    let body = random.bytes([0, 1, 10, 5000].randomElement(using: &random) ?? 0)
    let framing = Int.random(in: 0..<5, using: &random)
    var bytes: [UInt8] = []
    switch framing {
    case 0, 1:
      head += "Content-Length: \(body.count)\r\n"
      expected.headers["content-length"] = "\(body.count)"
      // The answer to HEAD tells the length of what it leaves out.
      if framing == 0 { (bytes, expected.body) = (body, body) }
    case 2:
      head += "transfer-encoding: chunked\r\n"
      expected.headers["transfer-encoding"] = "chunked"
      (bytes, expected.body) = (chunks(body, &random), body)
    case 3: (bytes, expected.body, expected.isReusable) = (body, body, false)
    default:
      head = head.replacing(" \(expected.status) ", with: " 204 ")
      expected.status = 204
    }
    let before = Bool.random(using: &random) ? "HTTP/1.1 100 Continue\r\nX-Other: 1\r\n\r\n" : ""
    return (Array((before + head + "\r\n").utf8) + bytes, framing == 1, expected)
  }

  private func chunks(_ body: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    var (bytes, rest) = ([UInt8](), body[...])
    while !rest.isEmpty {
      let chunk = rest.prefix(Int.random(in: 1...2000, using: &random))
      bytes += Array("\(String(chunk.count, radix: 16));name=value\r\n".utf8) + chunk + Array("\r\n".utf8)
      rest = rest.dropFirst(chunk.count)
    }
    return bytes + Array("0\r\nX-Trailer: 1\r\n\r\n".utf8)
  }

  @Test(arguments: UInt64(0)..<100) func anAnswerIsTheSameHoweverItArrives(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let (bytes, isHead, expected) = draw(&random)
    var (pieces, rest) = ([[UInt8]](), bytes[...])
    let longest = [1, 7, 3000].randomElement(using: &random) ?? 1
    while !rest.isEmpty {
      let piece = rest.prefix(Int.random(in: 1...longest, using: &random))
      pieces.append(Array(piece))
      rest = rest.dropFirst(piece.count)
    }
    for bufferBytes in [nil, 5000, 6000] {
      #expect(read(pieces, isHead: isHead, bufferBytes: bufferBytes) == expected, "seed \(seed)")
      #expect(read([bytes], isHead: isHead, bufferBytes: bufferBytes) == expected, "seed \(seed), at once")
    }
  }

  /// The body of an error is for the message: it does not go where the object was to go.
  @Test func theBodyOfAnErrorLeavesTheBufferAlone() {
    var reader = HTTPAnswerReader(isHead: false, bodyBytesMax: 100)
    var buffer: [UInt8] = [7, 7, 7, 7]
    buffer.withUnsafeMutableBytes { memory in
      Array("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno".utf8).withUnsafeBytes { bytes in
        #expect(throws: Never.self) { try reader.take(bytes, into: memory) }
      }
    }
    #expect(buffer == [7, 7, 7, 7] && reader.filled == 0 && reader.body == Array("no".utf8))
  }

  @Test func olderServersCloseTheirConnections() {
    #expect(!read("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").isReusable)
    #expect(read("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").isReusable)
  }

  // MARK: Hostile answers

  @Test(arguments: [
    ("SSH-2.0-OpenSSH\r\n\r\n", "the server does not speak HTTP"),
    ("HTTP/2 200\r\n\r\n", "the server does not speak HTTP"),
    ("HTTP/1.1\r\n\r\n", "the server does not speak HTTP"),
    ("HTTP/1.1 9999999999999999999999 No\r\n\r\n", "the server does not speak HTTP"),
    ("HTTP/1.1 -200 No\r\n\r\n", "the server does not speak HTTP"),
    ("HTTP/1.1 600 No\r\n\r\n", "the server does not speak HTTP"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "the answer has two lengths"),
    ("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc", "the length of the answer is no number"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "the length of the answer is no number"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc", "the length of the answer is no number"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "the answer has an unknown encoding"),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
      "a part of the answer has no length"
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "a part of the answer has no length"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "a part of the answer has no length"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "a part of the answer is too long"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", "the server sent more than its answer"),
    ("HTTP/1.1 204 No\r\n\r\nabc", "the server sent more than its answer"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "the server closed the connection in the middle of its answer"),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
      "the server closed the connection in the middle of its answer"
    ),
    ("HTTP/1.1 200 OK\r\nContent-Le", "the server closed the connection in the middle of its answer"),
    ("", "the server closed the connection in the middle of its answer"),
  ])
  func whatIsNoAnswerIsAnError(_ text: String, _ message: String) {
    for bufferBytes in [nil, 10] {
      #expect(read(text, bufferBytes: bufferBytes).error == .broken(message))
    }
  }

  @Test(arguments: [
    "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n0123456789x",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789x\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n012345678\r\n2\r\n9x\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\n0123456789x",
  ])
  func aBodyThatIsLongerThanTheBufferIsAnError(_ text: String) {
    #expect(read(text, bufferBytes: 10).error == .broken("the server sent more bytes than were asked for"))
    #expect(read(text, bufferBytes: 11).error == nil)
  }

  /// Whatever goes on without an end is stopped at its limit.
  @Test(arguments: [
    ("", "x", "the head of the answer is too long"),
    ("HTTP/1.1 200 OK\r\n", "A: b\r\n", "the head of the answer is too long"),
    ("", "HTTP/1.1 100 Continue\r\n\r\n", "the head of the answer is too long"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n", "the head of the answer is too long"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x", "the head of the answer is too long"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", "the answer of the server is too long"),
    ("HTTP/1.1 200 OK\r\n\r\n", "x", "the answer of the server is too long"),
    ("HTTP/1.1 500 No\r\nContent-Length: 9000000000000000000\r\n\r\n", "x", "the answer of the server is too long"),
  ])
  func anEndlessAnswerIsCutOff(_ beginning: String, _ more: String, _ message: String) {
    var reader = HTTPAnswerReader(isHead: false, bodyBytesMax: Self.bodyBytesMax)
    let more = Array(String(repeating: more, count: 1000 / more.utf8.count).utf8)
    var taken = 0
    let error = #expect(throws: ConnectionError.self) {
      try receive(Array(beginning.utf8), &reader, nil)
      while taken < 10 << 20 {
        try receive(more, &reader, nil)
        taken += more.count
      }
    }
    #expect(error == .broken(message))
    #expect(taken <= 7 * Self.bodyBytesMax)
  }

  /// Bytes that are drawn at random, some of them out of a sound answer, never trap.
  @Test(arguments: UInt64(0)..<100) func noiseIsReadOrRefused(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var (bytes, isHead, _) = draw(&random)
    for _ in 0..<Int.random(in: 1...20, using: &random) where !bytes.isEmpty {
      let index = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<3, using: &random) {
      case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
      case 1: bytes.remove(at: index)
      default: bytes.insert(contentsOf: bytes.suffix(from: index).prefix(5), at: index)
      }
    }
    for bufferBytes in [nil, 100] {
      let outcome = read([bytes], isHead: isHead, bufferBytes: bufferBytes)
      #expect(outcome.body.count <= bytes.count, "seed \(seed)")
    }
  }
}
