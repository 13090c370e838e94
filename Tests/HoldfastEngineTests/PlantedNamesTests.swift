import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Whatever somebody puts between the objects of a repository, everything else is listed, verified and restored all the
/// same.
@Suite struct PlantedNamesTests {
  private let shop: TestShop
  private var folder: Path { shop.repositoryPath.appending("sources/source") }

  init() throws {
    shop = try TestShop()
    for number in 1...2 {
      TestFiles.write("order \(number)", to: shop.source.appending("orders"))
      try shop.backup(.full)
    }
    let name = try shop.snapshot().sourceName
    try shop.repository.notes.change(name) { notes, _ in
      notes.notes = []
      notes.highest = 1
      return true
    }
  }

  private func others() throws -> [String] {
    try shop.verify().others.map { "\($0.level) \($0.message)" }
  }

  @Test func aNumberThatIsNoneEndsNothing() throws {
    for name in ["notes/0000000000", "0000000000"] { TestFiles.makeDirectory(folder.appending(name)) }
    TestFiles.write("", to: shop.repositoryPath.appending("0000000000"))
    #expect(
      try others() == [
        "note 0000000000: it is no part of a repository",
        "note sources/source/0000000000/: it is no part of a repository",
      ])
  }

  /// The highest number there is, begun and never written.
  @Test(arguments: ["9999999999", "0000000012"]) func aRevisionThatWasOnlyBegunMakesNothingMissing(name: String) throws
  {
    TestFiles.makeDirectory(folder.appending("notes/\(name)"))
    let key = "sources/source/notes/\(name)/notes.json"
    #expect(try others() == ["note \(key): it was begun, and never written"])
  }

  /// A link in the place of a manifest, of the notes, of a journal, and of the places where all of them lie.
  @Test(arguments: [
    "sources/source/0000000001/manifest.json", "sources/source/0000000003/manifest.json", "sources/source/notes",
    "journal/source", "journal", "wal", "sources/other",
  ])
  func aPlantedLinkIsNamedAndEndsNothing(_ name: String) throws {
    let place = shop.repositoryPath.appending(name)
    let parent = place.parent ?? .root
    for path in [parent.parent ?? .root, parent] where !TestFiles.exists(path) { TestFiles.makeDirectory(path) }
    if name == "sources/other" {
      for path in ["journal", "journal/other"] { TestFiles.makeDirectory(shop.repositoryPath.appending(path)) }
    }
    TestFiles.removeTree(place)
    TestFiles.symbolicLink("/nowhere", at: place)
    let report = try shop.verify()
    #expect(report.exitStatus != .done)
    let named = report.unreadable.map(\.object) + report.others.map(\.object)
    #expect(named.contains { $0.hasPrefix(name) }, "\(named)")
    #expect(report.snapshots.allSatisfy(\.isSound) && !report.snapshots.isEmpty)
    var damage: [DamageError] = []
    let listed = try shop.repository.catalog.allSnapshots { damage.append($0) }
    damage += try shop.repository.catalog.newerThanPresent()
    #expect(listed.contains { $0.sequence == 2 })
    // Behind a link there might be a newer one, or a note that it was removed.
    guard name.contains("0000000003") || name.contains("notes") else {
      try shop.restore(to: "restored")
      return
    }
    let refused = #expect(throws: EngineError.self) { try shop.restore(to: "restored") }
    #expect(refused?.exitStatus == .dataLoss)
    #expect(
      refused?.message.hasPrefix("the latest snapshot cannot be read: \(name)") ?? false, "\(refused?.message ?? "")")
    try shop.restore(listed[1].id.description, to: "restored")
  }
}
