import HoldfastStore
import HoldfastTestSupport
import Testing

/// The bytes of a server are read without trust in any length.
@Suite struct SFTPAnswerTests {
  private func bigEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  private func text(_ text: String) -> [UInt8] { bigEndian(UInt32(text.utf8.count)) + Array(text.utf8) }

  /// Calls every way to understand a packet.
  /// - Returns: the errors.
  private func understand(_ answer: SFTPAnswer) -> [any Error] {
    var buffer = [UInt8](repeating: 0, count: 100)
    let ways: [() throws -> Void] = [
      { try answer.done() }, { _ = try answer.handle() }, { _ = try answer.attributes() }, { _ = try answer.names() },
      { _ = try answer.numbers(5) }, { _ = try answer.extensions() },
      { _ = try buffer.withUnsafeMutableBytes { try answer.data(into: $0) } },
    ]
    return ways.compactMap { way in
      do {
        try way()
        return nil
      } catch {
        return error
      }
    }
  }

  /// A packet that is cut off or changed anywhere is understood or refused, and never read beyond its end.
  @Test(arguments: UInt64(0)..<60) func anyBytesAreUnderstoodOrRefused(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let attributes =
      bigEndian(UInt32(0x8000_000f)) + bigEndian(UInt64(5)) + bigEndian(UInt64(0)) + bigEndian(UInt32(0o100600))
      + bigEndian(UInt64(0)) + bigEndian(UInt32(1)) + text("k") + text("v")
    let sound: [[UInt8]] = [
      bigEndian(UInt32(4)) + text("Failure") + text("en"), text("handle"), attributes,
      bigEndian(UInt32(2)) + text("a") + text("-") + attributes + text("b") + text("-") + attributes,
      bigEndian(UInt32(100)) + random.bytes(100), text("a@b") + text("1"),
      random.bytes(Int.random(in: 0...200, using: &random)),
    ]
    for var bytes in sound {
      for _ in 0..<8 {
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
        case 1 where !bytes.isEmpty:
          bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        default: bytes += random.bytes(Int.random(in: 0...4, using: &random))
        }
        for kind in SFTPAnswer.Kind.allCases {
          for error in understand(SFTPAnswer(kind: kind, bytes: bytes)) {
            #expect(error is SFTPViolation || error is SFTPAnswer.Failure, "seed \(seed): \(error)")
          }
        }
      }
    }
  }

  @Test func aSoundListingIsUnderstood() throws {
    let file = bigEndian(UInt32(5)) + bigEndian(UInt64(70_000)) + bigEndian(UInt32(0o100400))
    let folder = bigEndian(UInt32(4)) + bigEndian(UInt32(0o040700))
    let names = try SFTPAnswer(
      kind: .names,
      bytes: bigEndian(UInt32(3)) + text("a") + text("-") + file + text("b") + text("d") + folder + text("c")
        + text("?")
        + bigEndian(UInt32(0))
    ).names()
    #expect(names.map(\.name) == [Array("a".utf8), Array("b".utf8), Array("c".utf8)])
    #expect(names.map(\.attributes.kind) == [.file, .directory, nil])
    #expect(names.map(\.attributes.size) == [70_000, nil, nil])
  }

  /// What a server says reaches a terminal without anything that moves its cursor, and not at any length.
  @Test func theTextOfAFailureIsPrintable() {
    let said = "no\u{1b}[2Jway\n" + String(repeating: "x", count: 1000)
    let error = #expect(throws: SFTPAnswer.Failure.self) {
      try SFTPAnswer(kind: .status, bytes: bigEndian(UInt32(3)) + text(said) + text("")).done()
    }
    #expect(error?.code == .permissionDenied)
    #expect(error?.text.hasPrefix("no [2Jway x") == true)
    #expect(error.map { $0.text.count <= 300 } == true)
  }
}
