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

/// A scrub takes nothing away that another run writes while it works, and brings nothing back that one removes.
@Suite(.timeLimit(.minutes(30))) struct ScrubMeanwhileTests {
  private static func outcomes(_ result: ScrubResult, of key: String) -> [ScrubFinding.Outcome] {
    result.allFindings.filter { $0.object == key }.map(\.outcome)
  }

  private static let writtenMeanwhile = ScrubFinding.Outcome.unrepaired(reason: "another run has written it meanwhile")

  /// The newest snapshot and the notes are gone at home.
  private func rollBack(_ shop: ScrubShop) throws -> SourceName {
    let source = try shop.shop.number(3).sourceName
    for key in shop.keys where key.hasPrefix(Keys.snapshot(source, 3)) || key.hasPrefix(Keys.notes(source)) {
      shop.stores[0].contents[key] = nil
    }
    return source
  }

  @Test func whatIsTakenAndNotedMeanwhileStays() throws {
    let shop = try ScrubShop()
    let source = try rollBack(shop)
    let before = shop.stores[0].contents
    try shop.shop.backup(.incremental, in: shop.shop.open())
    for tag in ["x", "y"] {
      _ = try shop.shop.open().notes.tag(shop.shop.snapshot(), add: [try #require(Tag(tag))], remove: [])
    }
    let other = TargetShop.lasting(shop.stores[0])
    let (manifest, notes) = (Keys.manifest(source, 3), Keys.notes(source, 2))
    for key in [manifest, notes] { #expect(other[key] != nil && other[key] != shop.whole[key]) }
    shop.stores[0].contents = before
    let store = shop.stores[0]
    let home = MeanwhileStore(store) { request in
      for key in [manifest, notes] where request == .upload(key) { store.contents[key] = other[key] }
    }
    let results = try shop.scrub(repairs: true, ["here": home])
    for key in [manifest, notes] {
      #expect(store.contents[key] == other[key], "\(key) was taken away")
      #expect(Self.outcomes(results[0], of: key) == [Self.writtenMeanwhile], "\(ScrubShop.texts(results))")
    }
    #expect(results[0].exitStatus == .repairableDamage)
  }

  @Test func whatIsMendedOtherwiseMeanwhileStays() throws {
    let shop = try ScrubShop()
    let source = try rollBack(shop)
    for tag in ["x", "y"] {
      _ = try shop.shop.open().notes.tag(shop.shop.snapshot(), add: [try #require(Tag(tag))], remove: [])
    }
    let key = Keys.notes(source, 2)
    let other = try #require(shop.stores[0].contents[key])
    shop.reset()
    shop.stores[0].contents[key]?[20] ^= 1
    let store = shop.stores[0]
    let home = MeanwhileStore(store) { if $0 == .upload(key) { store.contents[key] = other } }
    let results = try shop.scrub(repairs: true, ["here": home])
    #expect(store.contents[key] == other)
    #expect(Self.outcomes(results[0], of: key) == [Self.writtenMeanwhile], "\(ScrubShop.texts(results))")
  }

  @Test func anotherObjectOfTheSameLengthIsNoRepair() throws {
    let shop = try ScrubShop()
    let key = try shop.archive(of: 1)
    var other = try #require(shop.whole[key])
    other[70] ^= 1
    let (store, wrong) = (shop.stores[1], other)
    store.contents[key] = nil
    let cloud = MeanwhileStore(store) { if $0 == .upload(key) { store.contents[key] = wrong } }
    let results = try shop.scrub(repairs: true, ["cloud": cloud])
    #expect(Self.outcomes(results[1], of: key) == [Self.writtenMeanwhile], "\(ScrubShop.texts(results))")
    #expect(try shop.scrub(repairs: true).allSatisfy { $0.exitStatus == .done })
    shop.expectHealed("the next scrub replaces it")
  }

  // MARK: Prunes

  /// The notes of the first listing do not say what a prune removes after it.
  @Test func whatIsCollectedDuringTheSurveyDoesNotComeBack() throws {
    let shop = try ScrubShop()
    try shop.shop.backup(.full, in: shop.shop.open())
    let first = Keys.manifest(try shop.shop.number(1).sourceName, 1)
    let repository = try shop.shop.open()
    let home = MeanwhileStore(shop.stores[0]) { request in
      guard request == .open(first) else { return }
      do {
        var policy = RetentionPolicy()
        policy.last = 1
        var options = Prune.Options(policy: policy)
        (options.grace, options.tellsCollected) = (.days(0), .days(30))
        _ = try Prune(repository: repository, options: options).run()
      } catch {
        Issue.record("\(error)")
      }
    }
    let results = try shop.scrub(repairs: true, ["here": home])
    #expect(results[0].allFindings.isEmpty, "\(ScrubShop.texts(results))")
    #expect(try shop.shop.open().catalog.sequences(of: shop.shop.snapshot().sourceName) == [4])
  }

  /// Another run has the lease before this one.
  @Test func whatIsCollectedBeforeTheLeaseDoesNotComeBack() throws {
    let shop = try ScrubShop()
    let snapshot = try shop.shop.number(3)
    let manifest = Keys.manifest(snapshot.sourceName, 3)
    for key in shop.keys where key.hasPrefix(Keys.snapshot(snapshot.sourceName, 3)) {
      shop.stores[0].contents[key] = nil
    }
    // The notes say that it was there.
    let repository = try shop.shop.open()
    try repository.notes.pin(snapshot, reason: "")
    #expect(Self.outcomes(try shop.scrub()[0], of: manifest) == [.repairable])
    let home = MeanwhileStore(shop.stores[0]) { request in
      guard request == .lease else { return }
      do {
        try repository.notes.change(snapshot.sourceName) { notes, _ in
          var note = notes[snapshot]
          note.removed = SourceNotes.Removal(revision: notes.revision + 1, time: notes.time, isCollected: true)
          notes[snapshot.id, 3] = note
          return true
        }
      } catch {
        Issue.record("\(error)")
      }
    }
    let results = try shop.scrub(repairs: true, ["here": home])
    #expect(Self.outcomes(results[0], of: manifest) == [], "\(ScrubShop.texts(results))")
    #expect(try shop.shop.open().catalog.sequences(of: snapshot.sourceName) == [1, 2])
  }

  // MARK: Who may prune

  @Test func whatOneNotesAsRemovedWhoMayNotPruneIsScrubbed() throws {
    let shop = try ScrubShop(isSealed: true)
    let second = try WriterKey()
    var change = try KeyringChange(shop.shop.open())
    try change.enrol(Keyring.Writer(name: "shop-2", key: second.signing.publicKey))
    _ = try change.publish()
    let snapshot = try shop.shop.number(3)
    var notes = try shop.shop.open().notes.read(snapshot.sourceName).notes
    notes.revision += 1
    for sequence in 1...3 as ClosedRange<UInt64> {
      let one = try shop.shop.number(sequence)
      notes[one.id, sequence].removed = SourceNotes.Removal(
        revision: notes.revision, time: notes.time, isCollected: true)
    }
    try notes.signRemovals(by: second.signing)
    shop.stores[0].contents[Keys.notes(snapshot.sourceName, notes.revision)] = try notes.serialized(
      signedBy: second.signing)
    for store in shop.stores.dropFirst() {
      _ = try TargetSync(from: shop.shop.open(), to: "x", in: store, observer: CountedCopies()).run()
    }
    let key = try shop.archive(of: 3)
    shop.stores[1].contents[key]?[70] ^= 1
    #expect(ScrubShop.texts(try shop.scrub()) == ["cloud: \(key): repairable"])
  }
}
