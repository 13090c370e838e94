import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Archived log is proved and repaired as snapshots are.
@Suite(.timeLimit(.minutes(30))) struct ScrubLogTests {
  private let place = TemporaryDirectory()

  private func scrub(_ shop: TestShop, repairs: Bool = false) throws -> [ScrubResult] {
    let stores = [
      LocalStore(directory: shop.repositoryPath, host: shop.host), LocalStore(directory: place.path, host: shop.host),
    ]
    let places = zip(["here", "barn"], stores).map {
      Scrub.Place($0, at: $0, isHome: $0 == "here", .success($1))
    }
    var options = Scrub.Options()
    options.repairs = repairs
    return try Scrub(places, reference: shop.open(), openedAt: "here", options).run()
  }

  private func files(_ directory: Path) -> [Path] {
    TestFiles.allFiles(in: directory.appending("wal")).sorted { $0.text < $1.text }
  }

  @Test func everyObjectOfTheLogIsFoundDamagedAndRepaired() throws {
    let pushes = WALSample()
    let shop = try TestShop()
    for segment in WALSample.log().segments { _ = try pushes.push(segment.name.text, segment.bytes, shop) }
    let barn = LocalStore(directory: place.path, host: shop.host)
    #expect(try TargetSync.make(barn, of: shop.open()) { _ in })
    #expect(try TargetSync(from: shop.open(), to: "barn", in: barn, observer: CountedCopies()).run().isInStep)
    #expect(try ScrubShop.texts(scrub(shop)) == [])
    for (target, directory) in [("here", shop.repositoryPath), ("barn", place.path)] {
      for file in files(directory) {
        let whole = try #require(TestFiles.read(file))
        for isRemoved in [false, true] {
          // Without a snapshot no recovery needs what home has lost with its manifest.
          if isRemoved, file.text.hasSuffix(".json") { continue }
          var bytes = whole
          bytes[bytes.count / 2] ^= 1
          TestFiles.setMode(file, 0o644)
          if isRemoved { TestFiles.removeTree(file) } else { TestFiles.write(bytes, to: file) }
          let found = ScrubShop.texts(try scrub(shop))
          #expect(
            found.count == 1 && found[0].hasPrefix(target) && found[0].hasSuffix("repairable"), "\(file): \(found)")
          #expect(try scrub(shop, repairs: true).allSatisfy { $0.exitStatus == .done }, "\(file)")
          #expect(TestFiles.read(file) == whole, "\(file)")
        }
      }
    }
    // What a target has lost with its manifest comes with a sync, as what it never had.
    for file in files(place.path) { TestFiles.removeTree(file) }
    #expect(try ScrubShop.texts(scrub(shop)) == ["barn: behind"])
    #expect(try scrub(shop, repairs: true).allSatisfy { $0.exitStatus == .done })
    #expect(files(place.path).count == files(shop.repositoryPath).count)
  }

  /// A file that home has lost with its manifest shows in no listing of home.
  @Test func whatHomeHasLostComesBackIfASnapshotNeedsIt() throws {
    let pushes = WALSample()
    let shop = try TestShop()
    let segments = WALSample.log().segments
    for segment in segments { _ = try pushes.push(segment.name.text, segment.bytes, shop) }
    let size = try #require(WALSegmentSize(UInt64(TestLog.segmentBytes)))
    let starts = try segments.map { size.start(of: try #require($0.name.number(size))) }
    try pushes.snapshot(shop, from: starts[1], to: starts[2], ended: 1)
    let barn = LocalStore(directory: place.path, host: shop.host)
    #expect(try TargetSync.make(barn, of: shop.open()) { _ in })
    #expect(try TargetSync(from: shop.open(), to: "barn", in: barn, observer: CountedCopies()).run().isInStep)
    #expect(try ScrubShop.texts(scrub(shop)) == [])
    let whole = files(shop.repositoryPath)
    func remove(_ number: Int) -> [Path] {
      let lost = whole.filter { $0.text.contains(segments[number].name.text) }
      for file in lost { TestFiles.removeTree(file) }
      return lost
    }
    #expect(remove(0).count == 2)
    #expect(try ScrubShop.texts(scrub(shop)) == [], "no recovery needs it")
    let lost = remove(1)
    let found = try ScrubShop.texts(scrub(shop))
    #expect(
      found.count == 2 && found.allSatisfy { $0.hasPrefix("here: wal/") && $0.hasSuffix(": repairable") }, "\(found)")
    #expect(try scrub(shop, repairs: true).allSatisfy { $0.exitStatus == .done })
    #expect(lost.count == 2 && lost.allSatisfy { TestFiles.read($0) != nil })
    #expect(try ScrubShop.texts(scrub(shop)) == [])
  }
}
