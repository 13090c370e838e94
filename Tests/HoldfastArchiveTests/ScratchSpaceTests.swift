import HoldfastArchive
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What a run keeps aside comes back as it was; a little of it touches no disk, and much of it takes no memory.
@Suite(.timeLimit(.minutes(30))) struct ScratchSpaceTests {
  private static let memoryBytesMax = 4 << 20

  /// Writes in pieces that fit into nothing.
  private func fill(_ scratch: any ScratchBytes, _ plain: [UInt8]) throws {
    for start in stride(from: 0, to: plain.count, by: 700_001) {
      try plain[start..<min(start + 700_001, plain.count)].withUnsafeBytes { try scratch.append($0) }
    }
    try scratch.finish()
  }

  @Test(arguments: [false, true], [0, 100, memoryBytesMax, memoryBytesMax + 1, 2 * memoryBytesMax + 7])
  func bytesComeBack(isSealed: Bool, count: Int) throws {
    var random = SeededRandom(seed: 9)
    let plain = random.bytes(count)
    let scratch = ScratchSpace(host: TestHost.make(), isSealed: isSealed).make()
    try fill(scratch, plain)
    #expect(scratch.length == UInt64(count))
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBytes { try scratch.read(into: $0, at: 0) }
    #expect(bytes == plain)
    var end = [UInt8](repeating: 0, count: min(count, 13))
    try end.withUnsafeMutableBytes { try scratch.read(into: $0, at: UInt64(count - $0.count)) }
    #expect(end == Array(plain.suffix(13)))
  }

  @Test(arguments: [false, true]) func onlyWhatIsMuchGoesToAFile(isSealed: Bool) throws {
    for (count, isMuch) in [(Self.memoryBytesMax, false), (Self.memoryBytesMax + 1, true)] {
      let probe = FaultProbe(of: [.create, .write])
      try fill(
        ScratchSpace(host: TestHost.make(probe: probe), isSealed: isSealed).make(), [UInt8](repeating: 7, count: count))
      #expect((probe.count > 0) == isMuch, "\(count) bytes")
    }
  }

  @Test func aFullDiskIsTold() {
    let probe = FaultProbe(.fail(28), at: 0, of: [.write])
    let scratch = ScratchSpace(host: TestHost.make(probe: probe), isSealed: false).make()
    #expect(throws: SystemError.self) {
      try fill(scratch, [UInt8](repeating: 7, count: Self.memoryBytesMax + 1))
    }
  }
}
