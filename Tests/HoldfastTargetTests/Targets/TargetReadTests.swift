import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// A restore from several targets goes on whichever of them stops in the middle.
@Suite(.timeLimit(.minutes(10))) struct TargetReadTests {
  /// Targets `home` and `barn`, to be read.
  private func reading(
    _ home: any Store, _ barn: any Store, onBad: @escaping @Sendable (String, String) -> Void = { _, _ in }
  ) -> TargetStore {
    TargetStore(
      home: Target(name: "home", store: home), others: [Target(name: "barn", store: barn)], gate: nil,
      folder: { Keys.targetFolder($0) }, onBadAnswer: { onBad($0, $1.cause.message) })
  }

  private func makeShop() throws -> (shop: TargetShop, tree: TreeDescription) {
    let shop = try TargetShop()
    var random = SeededRandom(seed: 5)
    for number in 1...3 {
      TestFiles.write(random.bytes(300_000), to: shop.shop.source.appending("order \(number)"))
      try shop.backupInOnePass(number == 1 ? .full : nil)
    }
    return (shop, TreeDescription(of: shop.shop.source))
  }

  @Test func aRestoreGoesOnWhereverHomeStops() throws {
    let (shop, tree) = try makeShop()
    /// - Returns: the requests to home, opening it not included.
    func restore(stoppingAt plan: Int?) throws -> Int {
      let failing = UnansweringStore(shop.home)
      let told = Mutex<[String]>([])
      let store = reading(failing, shop.target) { target, text in told.withLock { $0.append("\(target): \(text)") } }
      let repository = try Repository.open(store, host: shop.shop.host)
      let snapshot = try shop.shop.snapshot("latest", in: repository)
      failing.fail(at: plan, .fromThenOn)
      defer { TestFiles.removeTree(shop.shop.directory.appending("restored")) }
      try shop.shop.restore(snapshot.id.description, to: "restored", in: repository)
      let count = failing.count
      let restored = TreeDescription(of: shop.shop.directory.appending("restored"))
      #expect(restored.differences(from: tree) == [], "\(plan ?? 0)")
      let wanted = plan == nil ? [] : ["home: memory does not answer: it timed out"]
      #expect(told.withLock { $0 } == wanted, "\(plan ?? 0): told once")
      return count
    }
    let count = try restore(stoppingAt: nil)
    for number in 1...count { _ = try restore(stoppingAt: number) }
  }

  /// What a reader writes (a journal) stays at home.
  @Test func whatIsOnlyReadSendsNothing() throws {
    let (shop, _) = try makeShop()
    let before = shop.target.contents
    let store = reading(shop.home, shop.target)
    let writer = try store.create("sources/source/0000000009/manifest.json")
    try ([1] as [UInt8]).withUnsafeBytes { try writer.append($0) }
    try writer.commit()
    try store.finish()
    #expect(shop.target.contents == before)
  }
}
