import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// An operator gets the snapshot that was meant, or is told which ones could have been.
@Suite struct SnapshotSelectorTests {
  /// IDs that begin alike, and a clock that advances an hour each time it is asked for.
  private func makeShop(sources: [String] = ["orders", "orders", "orders"]) throws -> (TestShop, [Snapshot]) {
    let counter = Counter()
    let random = Randomness { count in
      [UInt8](repeating: 0xab, count: max(0, count - 4))
        + (count >= 4 ? [1, UInt8(counter.next()), 3, 4] : [UInt8](repeating: 1, count: count))
    }
    let hours = Counter()
    let clock = Clock(
      now: { Timestamp(seconds: 1_800_000_000 + 3600 * Int64(hours.next()), nanoseconds: 500_000_000) },
      uptime: Clock.system.uptime)
    let shop = try TestShop(clock: clock, random: random)
    TestFiles.write("an order", to: shop.source.appending("orders"))
    for source in sources { try shop.backup(.full) { $0.name = SourceName(source) } }
    return (shop, try shop.repository.catalog.allSnapshots { _ in })
  }

  private final class Counter: Sendable {
    private let value = Mutex(0)
    func next() -> Int {
      value.withLock { value in
        value += 1
        return value
      }
    }
  }

  private func choose(_ shop: TestShop, _ selector: SnapshotSelector) -> Result<Snapshot, EngineError> {
    do {
      return .success(try selector.choose(in: shop.repository.catalog) { _ in })
    } catch let error as EngineError {
      return .failure(error)
    } catch {
      return .failure(EngineError(.usage, "another error: \(error)", hint: nil))
    }
  }

  private func error(_ shop: TestShop, _ selector: SnapshotSelector) -> EngineError? {
    if case .failure(let error) = choose(shop, selector) { error } else { nil }
  }

  @Test func theLatestIsTheOneOfTheHighestSequence() throws {
    let (shop, snapshots) = try makeShop()
    #expect(choose(shop, SnapshotSelector(.latest)) == .success(snapshots[2]))
  }

  @Test func anIdentifierInWholeOrInUpperCase() throws {
    let (shop, snapshots) = try makeShop()
    for snapshot in snapshots {
      #expect(choose(shop, SnapshotSelector(.id(snapshot.id.description))) == .success(snapshot))
      #expect(choose(shop, SnapshotSelector(.id(snapshot.id.description.uppercased()))) == .success(snapshot))
    }
  }

  @Test func anAmbiguousPrefixListsTheCandidates() throws {
    let (shop, snapshots) = try makeShop()
    let found = error(shop, SnapshotSelector(.id("abab")))
    let lines = snapshots.map { "\n  \($0.id)  orders/\($0.sequence)  \(TimeText.local($0.envelope.started))" }
    #expect(
      found?.description
        == "\"abab\" fits 3 snapshots:" + lines.joined() + "\nHINT: Type more digits of the ID.")
    #expect(found?.exitStatus == .usage)
  }

  @Test(arguments: ["ffff", "", "latest ", "\u{1b}[31m"]) func anUnknownSnapshot(text: String) throws {
    let (shop, _) = try makeShop()
    #expect(
      error(shop, SnapshotSelector(SnapshotSelector.Name(text)))?.description
        == "there is no snapshot \"\(text.isEmpty ? "" : Path(text).description)\"\nHINT: Run `holdfast list` to see which there are."
    )
  }

  @Test func theLatestOfSeveralSources() throws {
    let (shop, snapshots) = try makeShop(sources: ["orders", "invoices", "orders"])
    let found = error(shop, SnapshotSelector(.latest))
    #expect(
      found?.description == "\"latest\" is ambiguous: the repository holds the sources invoices, orders"
        + "\nHINT: Say which one with --name NAME, or name a snapshot by its ID.")
    #expect(found?.exitStatus == .usage)
    let invoices = SnapshotSelector(.latest, source: SourceName("invoices"))
    #expect(choose(shop, invoices) == .success(snapshots[0]))
    #expect(
      error(shop, SnapshotSelector(.latest, source: SourceName("unknown")))?.description
        == "there is no source unknown in \(shop.repositoryPath)\nHINT: Run `holdfast list` to see all sources.")
  }

  @Test func theNewestAtOrBeforeATime() throws {
    let (shop, snapshots) = try makeShop()
    let second = snapshots[1].envelope.started
    var before = second
    before.nanoseconds -= 1
    #expect(choose(shop, SnapshotSelector(.latest, at: second)) == .success(snapshots[1]))
    #expect(choose(shop, SnapshotSelector(.latest, at: before)) == .success(snapshots[0]))
    let early = Timestamp(seconds: 1_700_000_000, nanoseconds: 0)
    #expect(
      error(shop, SnapshotSelector(.latest, at: early))?.description
        == "no snapshot is as old as \(TimeText.local(early))\nHINT: Run `holdfast list` to see which there are.")
  }

  @Test func anEmptyRepository() throws {
    let (shop, _) = try makeShop(sources: [])
    #expect(
      error(shop, SnapshotSelector(.latest))?.description
        == "there is no snapshot in \(shop.repositoryPath)\nHINT: Run `holdfast backup SOURCE` to take the first.")
  }
}
