import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Whatever is damaged at one target of three: everything restores, a scrub finds it, repairs it, and then finds
/// nothing.
@Suite(.timeLimit(.minutes(30))) struct ScrubPropertyTests {
  @Test(arguments: [false, true], [true, false])
  func anyDamageAtOneTargetIsFoundAndHealed(isSealed: Bool, isNear: Bool) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    let shop = try ScrubShop(isSealed: isSealed, seed: seed) {
      ($0.isNear, $0.connections, $0.partBytes) = (isNear, isNear ? 1 : 4, isNear ? nil : 64 << 10)
    }
    #expect(try ScrubShop.texts(shop.scrub()) == [])
    for key in shop.keys {
      for harm in Trials.first(2, of: Harm.allCases.shuffled(using: &random)) {
        shop.reset()
        let index = Int.random(in: 0..<3, using: &random)
        let place = "seed \(seed): \(harm) of \(key) at \(ScrubShop.names[index])"
        guard Harm.apply(harm, to: key, at: shop.stores[index], &random) else { continue }
        // Home says which snapshots there are: without its manifest the newest of the others is the newest.
        if harm != .remove || !Keys.isManifest(key) || index > 0 { shop.expectRestored(place) }
        let found = ScrubShop.texts(try shop.scrub())
        #expect(!found.isEmpty && found.allSatisfy { $0.hasPrefix(ScrubShop.names[index]) }, "\(place): \(found)")
        let repaired = try shop.scrub(repairs: true)
        #expect(
          repaired.allSatisfy { $0.exitStatus == .done && $0.allFindings.allSatisfy { $0.outcome == .repaired } },
          "\(place): \(ScrubShop.texts(repaired))")
        shop.expectHealed(place)
        let again = try shop.scrub()
        #expect(ScrubShop.texts(again) == [] && again.allSatisfy { $0.exitStatus == .done }, "\(place)")
      }
    }
  }

  /// Damage in any number of objects at one target.
  @Test(arguments: Trials.seeds(byDay: 6, atNight: 200))
  func muchDamageAtOneTargetIsHealedAtOnce(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let shop = try ScrubShop(isSealed: random.next() & 1 == 0, seed: seed)
    let index = Int.random(in: 0..<3, using: &random)
    for key in shop.keys.shuffled(using: &random).prefix(Int.random(in: 2...shop.keys.count, using: &random)) {
      // Without a descriptor and anything else nobody knows what the place is.
      guard key != Keys.descriptor, !key.hasPrefix(Keys.keyring) else { continue }
      let harm = Harm.allCases.randomElement(using: &random) ?? .flip
      _ = Harm.apply(harm, to: key, at: shop.stores[index], &random)
    }
    let repaired = try shop.scrub(repairs: true)
    #expect(
      repaired.allSatisfy { $0.exitStatus == .done }, "seed \(seed): \(ScrubShop.texts(repaired))")
    shop.expectHealed("seed \(seed)")
    #expect(ScrubShop.texts(try shop.scrub()) == [], "seed \(seed)")
    shop.expectRestored("seed \(seed)")
  }

  // MARK: Crashes

  /// A repair that ends anywhere loses nothing: whatever the damaged target was, the others have it, and the next
  /// scrub goes on.
  @Test(arguments: Harm.allCases)
  func aRepairThatEndsAnywhereLosesNothing(harm: Harm) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    let shop = try ScrubShop(isSealed: true, seed: seed)
    let index = Int.random(in: 0..<3, using: &random)
    let name = ScrubShop.names[index]
    let keys = [
      try shop.archive(of: 1), Keys.manifest(try shop.shop.number(2).sourceName, 2), try shop.key(Keys.isBody),
    ]
    func damage() {
      shop.reset()
      var random = SeededRandom(seed: seed)
      for key in keys { _ = Harm.apply(harm, to: key, at: shop.stores[index], &random) }
    }
    damage()
    let counting = UnansweringStore(shop.stores[index])
    counting.fail(at: nil)
    try shop.scrub(repairs: true, [name: counting])
    for number in Trials.places(counting.count, oneIn: 16) {
      for failure in UnansweringStore.Failure.allCases {
        damage()
        let place = "seed \(seed): \(harm) at \(name), \(failure) at request \(number + 1) of \(counting.count)"
        let failing = UnansweringStore(shop.stores[index])
        failing.fail(at: number + 1, failure)
        let results = try? shop.scrub(repairs: true, [name: failing])
        // Whatever lies there is sound, damaged as before, or missing.
        for (key, bytes) in TargetShop.lasting(shop.stores[index]) where !keys.contains(key) && harm != .exchangeKeys {
          #expect(shop.whole[key] == bytes, "\(place): \(key)")
        }
        #expect(
          results?.allSatisfy { $0.target == name || [.done, .incomplete].contains($0.exitStatus) } ?? true,
          "\(place): \(ScrubShop.texts(results ?? []))")
        let again = try shop.scrub(repairs: true)
        #expect(again.allSatisfy { $0.exitStatus == .done }, "\(place): \(ScrubShop.texts(again))")
        shop.expectHealed(place)
      }
    }
  }
}
