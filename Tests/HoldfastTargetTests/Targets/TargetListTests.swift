import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// The list of targets is in every target, each revision once, and one that has gone two ways stops everything.
@Suite struct TargetListTests {
  @Test(arguments: [false, true]) func everyTargetHasTheList(isSealed: Bool) throws {
    let shop = try ListedShop(isSealed: isSealed)
    for name in ListedShop.names {
      let list = try #require(try shop.open(name).targets.newest())
      #expect(list.targets.map(\.name) == ListedShop.names && list.home == "home" && list.residuesFrom == 1000)
      #expect(list.targets.map(\.residue) == [nil, 1, 2])
      #expect(try shop.expectSound(name) == [])
    }
    // Another machine adds one, and a sync brings the next revision.
    var change = try TargetListChange(shop.open("home"), home: ListedShop.member("home"))
    try change.add(ListedShop.member("shed"))
    try change.publish()
    #expect(try shop.open("cloud").targets.newest()?.revision == 1)
    #expect(try shop.sync("cloud").isInStep)
    #expect(try shop.open("cloud").targets.newest()?.targets.last?.residue == 3)
  }

  @Test func residuesComeToAnEnd() throws {
    let shop = try ListedShop()
    var change = try TargetListChange(shop.open("home"), home: ListedShop.member("home"))
    for number in 3...15 { try change.add(ListedShop.member("t\(number)")) }
    #expect(
      shown { try change.add(ListedShop.member("t16")) } == """
        no numbers are left for the target t16: 16 targets were in the list, and nobody gets the numbers of another
        HINT: Keep to the name of one that is in the list, or start a new repository beside this one.
        """)
    try change.publish()
  }

  @Test func aListThatHasGoneTwoWaysStopsEverything() throws {
    let shop = try ListedShop(isSealed: true)
    func add(_ added: String, at name: String) throws {
      var change = try TargetListChange(shop.open(name), home: ListedShop.member("home"))
      try change.add(ListedShop.member(added))
      try change.publish()
    }
    try add("shed", at: "cloud")
    let newer = try shop.sync("cloud")
    #expect(
      newer.failure.map { "\($0)" } == """
        memory has revision 2 of the list of targets, which is not in memory
        HINT: Another target was promoted, or home was put back. Run `holdfast target list --repository LOCATION` at both: put the one that is home by the newer list first in the configuration.
        """)
    #expect(newer.exitStatus == .dataLoss)
    try add("attic", at: "home")
    let forked = try shop.sync("cloud")
    #expect(
      forked.failure.map { "\($0)" } == """
        revision 2 of the list of targets in memory is another one than in memory
        HINT: Two machines changed the list, each without the other. Compare `holdfast target list --repository LOCATION` at both, and empty the place whose list is wrong, after what only it has was restored.
        """)
    #expect(forked.exitStatus == .dataLoss)
  }

  /// What a writer has said before it was revoked still counts, and nothing that it says later.
  @Test func aRevokedWriterNoLongerChangesTheList() throws {
    let shop = try ListedShop(isSealed: true)
    var change = try KeyringChange(shop.open("home"))
    let other = try WriterKey()
    try change.enrol(Keyring.Writer(name: "shop-2", key: other.signing.publicKey))
    _ = try change.revokeWriter(TestKeys.writerName)
    _ = try change.publish()
    let list = try #require(try shop.open("home").targets.newest())
    var forged = list
    let first = try shop.open("home").targets.revisions().last?.digest
    (forged.revision, forged.previous, forged.home) = (2, first, "barn")
    let key = try #require(shop.shop.keys).writer.signing
    try shop.store("home").contents[Keys.targetList(2)] = forged.serialized(signedBy: key)
    #expect(throws: DamageError.self) { try shop.open("home").targets.newest() }
    let report = try shop.shop.verify(in: shop.open("home"))
    #expect(report.others.map(\.object) == [Keys.targetList(2)])
  }

  @Test func oneThatIsMissingIsDamage() throws {
    let shop = try ListedShop()
    var change = try TargetListChange(shop.open("home"), home: ListedShop.member("home"))
    try change.add(ListedShop.member("shed"))
    try change.publish()
    try shop.store("home").contents[Keys.targetList(1)] = nil
    #expect(
      shown { _ = try shop.open("home").targets.newest() }.hasPrefix(
        "targets/0000000001.json is damaged: it is missing, and 0000000002.json is there"))
  }
}
