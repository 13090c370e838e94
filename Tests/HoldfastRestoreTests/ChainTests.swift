import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Whatever happens to a source day by day, and however the chain over it was made, every day comes back exactly.
@Suite struct ChainTests {
  enum CacheFate: CaseIterable, Sendable { case kept, lost, damaged }

  private struct Day {
    let sequence: UInt64
    let id: String
    let tree: TreeDescription
  }

  /// One chain of eight days by a seed; of a sealed repository by a machine that can open none of them. With a clock
  /// that is ahead nothing is racy, so change detection works by metadata alone.
  private func takeDays(_ shop: TestShop, seed: UInt64, cache fate: CacheFate) throws -> [Day] {
    var mutator = SourceMutator(seed: seed, root: shop.source)
    var random = SeededRandom(seed: ~seed)
    mutator.fill()
    var days: [Day] = []
    for day in 0..<8 {
      if day > 0 { mutator.change() }
      if day == 4 { spoilCache(of: shop, fate) }
      let kinds: [SnapshotKind?] = [.full, .differential, .incremental, .incremental, nil, .differential, .incremental]
      let repository = try shop.open(as: .backupHost)
      let report = try shop.backup(day == 0 ? .full : kinds[Int(random.next() % 7)], in: repository) {
        $0.isParanoid = day == 6
      }
      #expect(report.problems == [], "seed \(seed), day \(day)")
      days.append(
        Day(
          sequence: report.envelope.sequence, id: report.envelope.snapshot.description,
          tree: TreeDescription(of: shop.source)))
    }
    return days
  }

  private func spoilCache(of shop: TestShop, _ fate: CacheFate) {
    switch fate {
    case .kept: break
    case .lost: TestFiles.removeTree(shop.cachePath)
    case .damaged:
      let files = TestFiles.allFiles(in: shop.cachePath)
      #expect(!files.isEmpty)
      for file in files { TestFiles.overwrite(file, at: (TestFiles.status(file)?.size ?? 0) / 2, with: [0x55, 0xaa]) }
    }
  }

  /// Each fate once by day, and at night once more with seeds that are known.
  private static let seeds = Trials.seeds(byDay: 3, atNight: 3) + Trials.first(0, of: [1, 2, 3])

  @Test(arguments: zip(seeds, CacheFate.allCases + CacheFate.allCases))
  func everySnapshotRestoresToItsDay(seed: UInt64, fate: CacheFate) throws {
    try checkDays(seed: seed, fate, isSealed: false)
  }

  @Test(arguments: zip(Trials.seeds(byDay: 2, atNight: 3), CacheFate.allCases))
  func everySealedSnapshotRestoresToItsDay(seed: UInt64, fate: CacheFate) throws {
    try checkDays(seed: seed, fate, isSealed: true)
  }

  private func checkDays(seed: UInt64, _ fate: CacheFate, isSealed: Bool) throws {
    let shop = try TestShop(
      clock: seed.isMultiple(of: 2) ? TestHost.clock(ahead: 10) : .system, isSealed: isSealed)
    let days = try takeDays(shop, seed: seed, cache: fate)
    let report = try shop.verify(data: true)
    #expect(report.exitStatus == .done, "seed \(seed): \(report.snapshots.flatMap(\.findings).map(\.message))")
    for (index, day) in days.enumerated() {
      try shop.restore(day.id, to: "day \(index)")
      let restored = TreeDescription(of: shop.directory.appending("day \(index)"))
      #expect(restored.differences(from: day.tree) == [], "seed \(seed), day \(index)")
    }
  }

  /// A delta restore turns any day into any other: what differs is rewritten, what is too much is removed. In the days
  /// of the first seed a fifo gets another access control list, and keeps mode and time.
  @Test(arguments: [4_267_937_925_234_081_122] + Trials.seeds(byDay: 1, atNight: 2))
  func deltaRestoreLeadsFromAnyDayToAnyOther(seed: UInt64) throws {
    let shop = try TestShop()
    let days = try takeDays(shop, seed: seed, cache: .kept)
    var random = SeededRandom(seed: seed ^ 0xd)
    let target = shop.directory.appending("target")
    for step in 0..<16 {
      let day = days[Int(random.next() % UInt64(days.count))]
      if step % 3 == 2 {
        TestFiles.makeDirectory(target.appending("extra"))
        TestFiles.write("extra", to: target.appending("extra/file"))
      }
      let dry = try shop.restore(day.id, to: "target") { ($0.isDelta, $0.isDryRun) = (true, true) }
      let report = try shop.restore(day.id, to: "target") { $0.isDelta = true }
      let restored = TreeDescription(of: target)
      #expect(restored.differences(from: day.tree) == [], "seed \(seed), step \(step), to \(day.sequence)")
      #expect(report.problems == [], "seed \(seed), step \(step)")
      #expect(dry.removed == report.removed, "seed \(seed), step \(step)")
      #expect(dry.writtenFiles == report.writtenFiles, "seed \(seed), step \(step)")
      #expect(dry.writtenBytes == report.writtenBytes, "seed \(seed), step \(step)")
      #expect(!TestFiles.exists(target.appending(".holdfast-restore")))
    }
  }

  /// The document of the format is true: an implementation that was written from it alone restores the same.
  @Test(arguments: Trials.seeds(byDay: 1, atNight: 2))
  func theRescueScriptRestoresTheSame(seed: UInt64) throws {
    let shop = try TestShop()
    let days = try takeDays(shop, seed: seed, cache: .kept)
    for index in [2, 5, 7] {
      let target = shop.directory.appending("rescued \(index)")
      let name = "source/" + String(repeating: "0", count: 9) + String(days[index].sequence)
      let result = try RescueScript.run([shop.repositoryPath.description, "restore", name, target.description])
      #expect(result.status == 0, "seed \(seed): \(result.output)")
      #expect(TreeDescription(of: target).differences(from: days[index].tree) == [], "seed \(seed), day \(index)")
    }
    let verified = try RescueScript.run([shop.repositoryPath.description, "verify"])
    #expect(verified.status == 0, "seed \(seed): \(verified.output)")
  }
}
