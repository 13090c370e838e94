import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Damage that a restore or a merge reads around is told by the target, and noted.
@Suite struct ReadDamageTests {
  private func joined(_ shop: TargetShop) throws -> Repository {
    let store = TargetStore(
      home: Target(name: "home", store: shop.home), others: [Target(name: "barn", store: shop.target)], gate: nil,
      folder: { Keys.targetFolder($0) })
    var repository = try Repository.open(store, host: shop.shop.host)
    repository.outcomes = store.outcomes
    return repository
  }

  @Test func whatNeedsADamagedObjectIsNoted() throws {
    let shop = try TargetShop()
    try shop.shop.fill([.full, .incremental, .full])
    #expect(try shop.sync().isInStep)
    let key = try shop.archive(of: 1)
    shop.home.contents[key]?[70] ^= 1
    let name = try shop.shop.number(1).sourceName
    let repository = try joined(shop)
    try shop.shop.restore(shop.shop.number(2).id.description, to: "restored", in: repository)
    let damage = ReadDamage.all(in: try #require(repository.outcomes))
    #expect(damage == [ReadDamage("home", keys: [name: [key]])])
    let home = try shop.shop.open()
    #expect(try damage[0].note(atHome: home).map(\.sequence) == [1, 2])
    #expect(try home.notes.standingDamage(of: name).map(\.sequence) == [1, 2])
    let status = try #require(try SourceStatus.read(from: home, of: name) { _ in Objectives() }.first)
    #expect(status.notedDamage.count == 2 && StatusVerdict([status], Objectives()).exitStatus == .dataLoss)
    // A scrub repairs it, and a verify of everything ends the note.
    var options = Scrub.Options()
    options.repairs = true
    let places = [
      Scrub.Place("home", at: "home", isHome: true, .success(shop.home)),
      Scrub.Place("barn", at: "barn", isHome: false, .success(shop.target)),
    ]
    let results = try Scrub(places, reference: home, openedAt: "home", options).run()
    #expect(results.flatMap(\.allFindings).map(\.object) == [key])
    let report = try shop.shop.verify(in: home)
    try home.notes.notePassed(report, share: 1)
    #expect(try home.notes.standingDamage(of: name).isEmpty)
  }

  @Test func damageElsewhereIsRememberedUntilAllIsProved() throws {
    let shop = try TargetShop()
    try shop.shop.fill([.full])
    let home = try shop.shop.open()
    let name = try shop.shop.number(1).sourceName
    let place = PlaceIdentity("/barn", nil)
    try ReadDamage("barn", keys: [name: []]).remember(in: home.machine, of: place)
    #expect(home.machine.scrubs(of: name, at: "barn", in: place).isDamaged)
    #expect(!home.machine.scrubs(of: name, at: "barn", in: PlaceIdentity("/other", nil)).isDamaged)
  }

  /// Damage is met where a target answers badly: its mark may not be read then.
  @Test func damageAtAPlaceWithoutAReadableMarkForgetsNothing() throws {
    let shop = try TargetShop()
    try shop.shop.fill([.full])
    let machine = try shop.shop.open().machine
    let name = try shop.shop.number(1).sourceName
    let other = SourceName(from: Path("other"))
    let random = shop.shop.host.random
    let (marked, unread) = (PlaceIdentity("/barn", random.identifier()), PlaceIdentity("/barn", nil))
    try machine.rememberDamage(of: other, at: "barn", in: marked)
    try machine.rememberDamage(of: name, at: "barn", in: unread)
    for source in [name, other] {
      #expect(machine.scrubs(of: source, at: "barn", in: marked).isDamaged)
      #expect(machine.scrubs(of: source, at: "barn", in: unread).isDamaged)
      #expect(!machine.scrubs(of: source, at: "barn", in: PlaceIdentity("/barn", random.identifier())).isDamaged)
    }
  }

  @Test func aMergeTellsWhatItReadAround() throws {
    let shop = try TargetShop()
    try shop.shop.fill([.full, .incremental])
    #expect(try shop.sync().isInStep)
    shop.home.contents[try shop.archive(of: 1)]?[70] ^= 1
    var found: [ReadDamage] = []
    try shop.inOnePass { repository in
      try shop.shop.merge(in: repository)
      found = ReadDamage.all(in: try #require(repository.outcomes))
    }
    #expect(found.map(\.target) == ["home"])
  }
}
