import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Whatever a place is that is no target, or two histories under one number: it has a message of its own, and nothing
/// is written there.
@Suite struct TargetErrorTests {
  private let shop: TestShop
  private let place = TemporaryDirectory()

  init() throws { shop = try TestShop(workers: 1, isSealed: true) }

  private var target: LocalStore { LocalStore(directory: place.appending("barn"), host: shop.host) }

  private func make() throws { #expect(try TargetSync.make(target, of: shop.open()) { _ in }) }

  /// What is there but locks and leases.
  private var files: [String] {
    TestFiles.allFiles(in: place.path).map(\.description).filter {
      !$0.contains("/\(LeaseNumbers.prefix)") && !$0.contains("/locks/")
    }
  }

  /// What a sync says of the target; everything there stays as it is.
  private func complaint(_ store: (any Store)? = nil) throws -> (text: String, status: HoldfastModel.ExitStatus) {
    let before = files
    let result = try TargetSync(
      from: shop.open(as: .nobody), to: "barn", in: store ?? target, observer: CountedCopies()
    ).run()
    #expect(files == before)
    let failure = result.failure ?? result.sources.compactMap(\.failure).first
    let text = failure.map { "\($0)" } ?? "no error"
    return (
      text.replacing("\(place.path)", with: "PLACE").replacing("\(shop.directory.path)", with: "SHOP"),
      result.exitStatus
    )
  }

  @Test func aPlaceWithoutARepositoryIsNotFilled() throws {
    let (text, status) = try complaint()
    #expect(
      text == """
        there is no repository in PLACE/barn
        HINT: Is its disk mounted? If it is new, run `holdfast init` to make it a target.
        """)
    #expect(status == .incomplete)
  }

  @Test func anotherRepositoryIsLeftAlone() throws {
    _ = try Repository.create(in: target, host: shop.host)
    let (text, status) = try complaint()
    #expect(
      text == """
        PLACE/barn has another repository than SHOP/repository
        HINT: Correct the location in the configuration, or name a place where nothing is and run `holdfast init`.
        """)
    #expect(status == .usage)
    #expect(throws: TargetError.self) { try TargetSync.checkMayBeMade(target, of: shop.open()) }
  }

  @Test func whatIsNotEmptyIsNotMadeATarget() throws {
    TestFiles.makeDirectory(place.appending("barn"))
    TestFiles.write("mine", to: place.appending("barn/letters"))
    #expect(
      shown { _ = try TargetSync.make(target, of: shop.open()) { _ in } }.hasPrefix("\(place.path)/barn is not empty\n")
    )
  }

  private func publishRevision(in repository: Repository, _ name: String) throws {
    var change = try KeyringChange(repository)
    try change.add(Keyring.Member(try RecoveryIdentity().recipient, name: name))
    try _ = change.publish()
  }

  @Test func aKeyringThatHasGoneTwoWaysStopsEverything() throws {
    try make()
    try publishRevision(in: shop.open(), "second")
    let other = try Repository.open(
      target, host: shop.host, credentials: try #require(shop.keys).credentials(), acceptsOlder: true)
    try publishRevision(in: other, "another")
    let (text, status) = try complaint()
    #expect(
      text == """
        revision 2 of the keyring in PLACE/barn is another one than in SHOP/repository
        HINT: Two machines changed the keys, or somebody exchanged one of them. Compare `holdfast key list` at both with what you have written down, and empty the one that is wrong.
        """)
    #expect(status == .dataLoss)
  }

  @Test func aKeyringThatIsNewerThanHomesStopsEverything() throws {
    try make()
    let other = try Repository.open(
      target, host: shop.host, credentials: try #require(shop.keys).credentials(), acceptsOlder: true)
    try publishRevision(in: other, "another")
    let (text, status) = try complaint()
    #expect(
      text == """
        PLACE/barn has revision 2 of the keyring, which is not in SHOP/repository
        HINT: Keys are changed at home only: home was put back, or is not the first target of the list. Compare `holdfast key list` at both.
        """)
    #expect(status == .dataLoss)
  }

  @Test func aKeyringThatIsOlderIsBroughtUp() throws {
    try make()
    try publishRevision(in: shop.open(), "second")
    try shop.fill([.full])
    let result = try TargetSync(
      from: shop.open(as: .nobody), to: "barn", in: target, observer: CountedCopies()
    ).run()
    #expect(result.isInStep)
    #expect(try Repository.open(target, host: shop.host, acceptsOlder: true).keyring.reference?.revision == 2)
  }

  @Test func oneNumberOfTwoSnapshotsStopsTheSource() throws {
    try make()
    try shop.fill([.full])
    let other = try Repository.open(
      target, host: shop.host, credentials: try #require(shop.keys).credentials(), acceptsOlder: true)
    try shop.backup(.full, in: other)
    let (text, status) = try complaint()
    #expect(
      text == """
        sources/source/0000000001/manifest.json in PLACE/barn is another one than in SHOP/repository
        HINT: Somebody wrote there as if it were home. Both stay as they are: look at each with `holdfast list --from TARGET`, restore what you need. If the target is wrong, empty it and run `holdfast init`; if home is, name the right one first in `targets`, empty the old home, then run `holdfast init` and `holdfast sync`.
        """)
    #expect(status == .dataLoss)
  }

  @Test func notesThatWereWrittenAtTheTargetStopTheSource() throws {
    try make()
    try shop.fill([.full])
    _ = try TargetSync(from: shop.open(as: .nobody), to: "barn", in: target, observer: CountedCopies()).run()
    let other = try Repository.open(
      target, host: shop.host, credentials: try #require(shop.keys).credentials(), acceptsOlder: true)
    try other.notes.pin(shop.number(1), reason: "")
    #expect(
      try complaint().text.hasPrefix(
        "PLACE/barn has sources/source/notes/0000000001/notes.json, which is not in SHOP/repository\nHINT: Somebody wrote"
      ))
    // Home notes something of its own under the same number.
    _ = try shop.open().notes.tag(shop.number(1), add: [try #require(Tag("own"))], remove: [])
    #expect(
      try complaint().text.hasPrefix(
        "sources/source/notes/0000000001/notes.json in PLACE/barn is another one than in SHOP/repository\nHINT: Somebody"
      ))
  }

  @Test func aPlaceThatLocksItsObjectsIsRefused() throws {
    let locking = LockingStore(MemoryStore(), ObjectLock(.compliance, days: 1))
    let (text, status) = try complaint(locking)
    #expect(
      text == """
        memory locks its objects, and copying does not extend locks yet
        HINT: Take `lock` out of this target, and let the default retention of the bucket lock what is copied.
        """)
    #expect(status == .usage)
  }
}
