import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// However many archives the snapshots of a source have, a run that looks at all of them works as it does with a few.
@Suite struct ReleasedArchivesTests {
  private let shop: TestShop

  init() throws {
    shop = try TestShop()
    var random = SeededRandom(seed: 71)
    for number in 1...4 {
      TestFiles.write(random.bytes(1_000_000), to: shop.source.appending("orders \(number)"))
      try shop.backup(number % 2 == 1 ? .full : .incremental) { $0.archiveBytes = 100_000 }
    }
  }

  /// As if there were more than are held.
  private func crowded() -> Repository {
    var repository = shop.repository
    repository.catalog.held = HeldArchives(bytesMax: 0)
    return repository
  }

  @Test func whatIsNotHeldIsStillCounted() throws {
    let held = try shop.repository.catalog.allSnapshots { _ in }
    let released = try crowded().catalog.allSnapshots { _ in }
    #expect(released.map(\.digest) == held.map(\.digest))
    #expect(released.allSatisfy { !$0.envelope.archives.isHeld && $0.envelope.archives.byteCount == 0 })
    #expect(released.map(\.envelope.archives.count) == held.map(\.envelope.archives.count))
    #expect(released.map(\.envelope.storedBytes) == held.map(\.envelope.storedBytes))
    #expect(held.contains { $0.envelope.archives.count > 1 })
  }

  @Test func itIsVerifiedRestoredAndPruned() throws {
    let repository = crowded()
    let report = try shop.verify(in: repository)
    #expect(report.exitStatus == .done && report.snapshots.count == 4, "\(report.others) \(report.unreadable)")
    #expect(report.provenBytes == (try shop.verify().provenBytes))
    try shop.restore(to: "restored", in: repository)
    #expect(
      TreeDescription(of: shop.directory.appending("restored")).differences(from: TreeDescription(of: shop.source))
        == [])

    TestFiles.write([7], to: shop.repositoryPath.appending("sources/source/0000000004/archive-stray"))
    #expect(try shop.verify(in: repository).others.map(\.level) == [.note])
    let pruned = try shop.prune(graceDays: 0, in: repository)
    #expect(pruned.exitStatus == .done)
    #expect(try shop.repository.catalog.allSnapshots { _ in }.map(\.sequence) == [3, 4])
    #expect(try shop.verify().exitStatus == .done)
  }

  /// What is missing of a snapshot that stays is noticed before others go.
  @Test func aPruneMissesAnArchiveThatIsGone() throws {
    let newest = try shop.snapshot()
    let archive = try #require(newest.envelope.archives.last)
    TestFiles.remove(shop.repositoryPath.appending(Keys.archive(newest.sourceName, newest.sequence, archive.id)))
    let report = try shop.prune(graceDays: 0, in: crowded())
    #expect(report.exitStatus == .dataLoss)
    #expect(try shop.repository.catalog.allSnapshots { _ in }.count == 4)
  }
}
