import HoldfastModel
import HoldfastSystem
import Synchronization
import Testing

/// After damage the same bytes are read in the other places, and whoever was wrong is told once another one was right.
@Suite struct SoundCopiesTests {
  private struct Damage: OperatorError, Equatable {
    let message: String
    let hint: String? = nil
    let exitStatus = ExitStatus.dataLoss
    let scope = ErrorScope.repository
  }

  private struct Silence: OperatorError {
    let message = "no answer"
    let hint: String? = nil
    let exitStatus = ExitStatus.failed
    let scope = ErrorScope.transient
  }

  /// Bytes whose name says what reading them gives.
  private final class Bytes: ReadableBytes {
    let name: String
    let copies: [any ReadableBytes]
    let length: UInt64 = 0
    private let noted = Mutex<[String]>([])

    init(_ name: String, _ copies: [Bytes] = []) { (self.name, self.copies) = (name, copies) }

    var damage: [String] { noted.withLock { $0 } }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) {}

    func noteDamage(_ damage: any Error) { noted.withLock { $0.append(describe(damage).message) } }
  }

  private func read(_ bytes: any ReadableBytes) throws -> String {
    if bytes.name.hasPrefix("bad") { throw Damage(message: bytes.name) }
    if bytes.name == "silent" { throw Silence() }
    if bytes.name == "signal" { throw Interrupted() }
    return bytes.name
  }

  @Test func soundBytesAreReadOnce() throws {
    let found = try Bytes("good", [Bytes("other")]).firstSound(read)
    #expect(found == "good")
  }

  @Test func theNextSoundOnesCount() throws {
    let second = Bytes("bad 2")
    let bytes = Bytes("bad 1", [second, Bytes("silent"), Bytes("good"), Bytes("other")])
    let found = try bytes.firstSound(read)
    #expect(found == "good")
    #expect(bytes.damage == ["bad 1"])
    #expect(second.damage == ["bad 2"])
  }

  @Test func whereNoneAreSoundTheFirstDamageIsThrownAndNobodyIsBlamed() {
    let bytes = Bytes("bad 1", [Bytes("bad 2"), Bytes("silent")])
    #expect(throws: Damage(message: "bad 1")) { try bytes.firstSound(read) }
    #expect(bytes.damage == [])
  }

  /// A silent store says nothing about its bytes.
  @Test func onlyDamageLeadsElsewhere() {
    #expect(throws: Silence.self) { try Bytes("silent", [Bytes("good")]).firstSound(read) }
  }

  @Test func aSignalEndsIt() {
    #expect(throws: Interrupted.self) { try Bytes("bad", [Bytes("signal"), Bytes("good")]).firstSound(read) }
  }
}
