import FoundationEssentials
import HoldfastCodec
import HoldfastModel
import Testing

/// An identity under a passphrase opens with it, in its repository, and with parameters within bounds.
@Suite struct PassphraseSealTests {
  private static let passphrase = "Pferd Batterie \u{e9}"

  private func repository(_ byte: UInt8) throws -> Identifier {
    try #require(Identifier(bytes: [UInt8](repeating: byte, count: 16)))
  }

  /// As the keyring would hold it. The bytes were computed apart from this project, as those of `KnownKeys`.
  private func known(
    salt: String = String(repeating: "11", count: 32), logN: Int = 15, r: Int = 8, p: Int = 1,
    sealed: String =
      "82e0f92fc325dcedc5c07c7378dfdd22e1711035f84a767fab54cf6bb2e96bd1fa1946a554e15b7a504233e10e7d859c"
  ) throws -> PassphraseSeal {
    let text = #"{"logN":\#(logN),"p":\#(p),"r":\#(r),"salt":"\#(salt)","sealed":"\#(sealed)"}"#
    return try JSONDecoder().decode(PassphraseSeal.self, from: Data(text.utf8))
  }

  @Test func aKnownSealOpensToItsIdentity() throws {
    let seal = try known()
    #expect(seal.isSound)
    let identity = try seal.open(passphrase: secret(Self.passphrase), repository: repository(0xaa))
    #expect(identity?.recipient.text == KnownKeys.recipient)
  }

  @Test func anotherPassphraseOrRepositoryOpensNothing() throws {
    let seal = try known()
    // The same to the eye.
    #expect(try seal.open(passphrase: secret("Pferd Batterie e\u{301}"), repository: repository(0xaa)) == nil)
    #expect(try seal.open(passphrase: secret(Self.passphrase), repository: repository(0xab)) == nil)
  }

  @Test func aSealIsOpenedByWhatMadeIt() throws {
    let identity = try RecoveryIdentity()
    let seal = try PassphraseSeal(
      identity, passphrase: secret("six words"), repository: repository(1), logN: 15)
    #expect(seal.isSound)
    let opened = try seal.open(passphrase: secret("six words"), repository: repository(1))
    #expect(opened?.recipient == identity.recipient)
  }

  @Test func theStandardCostIsTheOneThatIsDocumented() {
    #expect(PassphraseSeal.standardLogN == 17)
  }

  /// Who writes a keyring neither makes guessing cheap nor takes a reader's memory: nothing is derived out of bounds.
  @Test func parametersOutOfBoundsAreNotUsed() throws {
    let hostile = [
      try known(logN: 14), try known(logN: 19), try known(logN: 0), try known(logN: -1), try known(logN: 63),
      try known(logN: Int.max), try known(r: 7), try known(r: 1 << 30), try known(p: 2), try known(p: 0),
      try known(salt: ""), try known(salt: String(repeating: "11", count: 31)),
      try known(salt: String(repeating: "1g", count: 32)), try known(sealed: String(repeating: "00", count: 47)),
      try known(sealed: String(repeating: "00", count: 49)), try known(sealed: ""),
    ]
    for (number, seal) in hostile.enumerated() {
      #expect(!seal.isSound, "number \(number)")
      #expect(try seal.open(passphrase: secret(Self.passphrase), repository: repository(0xaa)) == nil, "\(number)")
    }
    for logN in [15, 16, 17, 18] { #expect(try known(logN: logN).isSound) }
  }
}
