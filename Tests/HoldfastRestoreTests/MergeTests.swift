import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Wherever a chain is merged, the full that comes of it is the snapshot for which it stands, and whatever is built
/// before and after comes back.
@Suite struct MergeTests {
  enum Place: CaseIterable, Sendable {
    /// In a repository that is not sealed.
    case open
    /// In a sealed one, on the machine that takes the backups, by who brings an identity.
    case sealedHere
    /// In a sealed one, on another machine than the one that takes the backups and can open nothing.
    case sealedElsewhere
  }

  private struct Day {
    let snapshot: Snapshot
    let tree: TreeDescription
  }

  /// A chain of fourteen days by a seed, merged after one in three of them; one merge in four is of an older snapshot.
  private func takeDays(_ shop: TestShop, seed: UInt64, _ place: Place) throws -> [Day] {
    var mutator = SourceMutator(seed: seed, root: shop.source)
    var random = SeededRandom(seed: ~seed)
    mutator.fill()
    var days: [Day] = []
    /// What the next snapshot builds on.
    var tip: Snapshot?
    let lastDay = 13
    for day in 0...lastDay {
      if day > 0 { mutator.change() }
      let isDifferential = day > 0 && random.next() % 4 == 0
      let repository = try shop.open(as: .backupHost)
      let report = try shop.backup(isDifferential ? .differential : nil, in: repository)
      let name = "seed \(seed), day \(day)"
      #expect(report.problems == [], "\(name)")
      #expect(report.envelope.kind == (day == 0 ? .full : isDifferential ? .differential : .incremental), "\(name)")
      if let tip, !isDifferential { #expect(report.envelope.parent == tip.asParent, "\(name)") }
      let taken = try shop.snapshot(report.envelope.snapshot.description)
      days.append(Day(snapshot: taken, tree: TreeDescription(of: shop.source)))
      tip = taken
      // Whatever the seed says, something is merged.
      guard day == lastDay || (day > 0 && random.next() % 3 == 0) else { continue }
      let isOlder = day < lastDay && random.next() % 4 == 0
      let chosen = isOlder ? days[Int(random.next() % UInt64(days.count))] : days[days.count - 1]
      guard let merged = try merge(chosen, in: shop, place, listBytes: random.next() % 2 == 0 ? 64 : 16 << 20, name)
      else { continue }
      days.append(merged)
      if chosen.snapshot.standsFor == taken.standsFor { tip = merged.snapshot }
    }
    return days
  }

  /// - Returns: `nil` when there was nothing to merge.
  private func merge(_ day: Day, in shop: TestShop, _ place: Place, listBytes: Int, _ name: String) throws -> Day? {
    let original = day.snapshot
    let report = try shop.merge(
      original.id.description, in: shop.open(as: .everybody),
      cache: place == .sealedElsewhere ? shop.directory.appending("other cache") : nil
    ) { $0.listBytes = listBytes }
    guard let envelope = report.envelope else {
      #expect(original.envelope.kind == .full, "\(name)")
      return nil
    }
    let merged = try shop.snapshot(envelope.snapshot.description)
    #expect(merged.envelope == (place == .open ? envelope : merged.envelope), "\(name)")
    #expect(envelope.kind == .full && envelope.parent == nil, "\(name)")
    #expect(envelope.time == original.envelope.time, "\(name)")
    #expect(envelope.merged?.snapshot == original.id && envelope.merged?.digest == original.digest, "\(name)")
    #expect(merged.standsFor == original.sequence, "\(name)")
    #expect(envelope.state.bytes == original.envelope.state.bytes, "\(name)")
    if place == .open { #expect(envelope.state == original.envelope.state, "\(name)") }
    #expect(envelope.changes.readBytes == 0, "\(name)")
    return Day(snapshot: merged, tree: day.tree)
  }

  /// Each place once by day, and at night once more with seeds that are known.
  private static let seeds =
    Trials.seeds(byDay: 3, atNight: 3) + Trials.first(0, of: [16_694_123_534_043_964_470, 1, 2])

  @Test(arguments: zip(seeds, Place.allCases + Place.allCases))
  func everySnapshotComesBack(seed: UInt64, place: Place) throws {
    let shop = try TestShop(
      clock: seed.isMultiple(of: 2) ? TestHost.clock(ahead: 10) : .system, isSealed: place != .open)
    let days = try takeDays(shop, seed: seed, place)
    #expect(days.contains { $0.snapshot.envelope.merged != nil }, "seed \(seed)")
    let report = try shop.verify(data: true)
    #expect(report.exitStatus == .done, "seed \(seed): \(report.snapshots.flatMap(\.findings).map(\.message))")
    for (index, day) in days.enumerated() {
      try shop.restore(day.snapshot.id.description, to: "day \(index)")
      let restored = TreeDescription(of: shop.directory.appending("day \(index)"))
      #expect(restored.differences(from: day.tree) == [], "seed \(seed), snapshot \(day.snapshot.sequence)")
    }
    guard place == .open else { return }
    for (index, day) in days.enumerated() where day.snapshot.envelope.merged != nil {
      let target = shop.directory.appending("rescued \(index)")
      let result = try RescueScript.run([
        shop.repositoryPath.description, "restore", day.snapshot.id.description, target.description,
      ])
      #expect(result.status == 0, "seed \(seed): \(result.output)")
      #expect(TreeDescription(of: target).differences(from: day.tree) == [], "seed \(seed), rescued \(index)")
    }
    let verified = try RescueScript.run([shop.repositoryPath.description, "verify"])
    #expect(verified.status == 0, "seed \(seed): \(verified.output)")
  }

  /// When everything before the merged full is gone, nothing is missed.
  @Test(arguments: Trials.seeds(byDay: 1, atNight: 2))
  func aMergedFullNeedsNothingOfItsChain(seed: UInt64) throws {
    let shop = try TestShop()
    var mutator = SourceMutator(seed: seed, root: shop.source)
    mutator.fill()
    for day in 0..<6 {
      if day > 0 { mutator.change() }
      try shop.backup()
    }
    let merged = try #require(try shop.merge().envelope)
    let sources = shop.repositoryPath.appending("sources/source")
    for name in TestFiles.names(in: sources) where !name.hasSuffix(String(merged.sequence)) {
      TestFiles.removeTree(sources.appending(name))
    }
    #expect(try shop.differencesAfterRestore() == [], "seed \(seed)")
    mutator.change()
    let next = try shop.backup()
    #expect(next.envelope.parent?.snapshot == merged.snapshot, "seed \(seed)")
    #expect(try shop.differencesAfterRestore() == [], "seed \(seed)")
    #expect(try shop.verify().exitStatus == .done, "seed \(seed)")
  }
}
