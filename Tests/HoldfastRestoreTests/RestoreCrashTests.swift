import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// A restore that is killed at any instruction leaves nothing half-written under a final name, and running it again
/// finishes it.
@Suite struct RestoreCrashTests {
  private struct Shop {
    let shop: TestShop
    let ids: [String]
    let trees: [TreeDescription]

    /// A repository with two days that differ in everything that a delta restore treats in its own way.
    init() throws {
      shop = try TestShop(workers: 1)
      let source = shop.source
      var random = SeededRandom(seed: 17)
      TestFiles.write(random.text(300_000), to: source.appending("orders.db"))
      TestFiles.write(random.text(20_000), to: source.appending("small"))
      TestFiles.makeDirectory(source.appending("invoices"))
      TestFiles.write(random.text(100), to: source.appending("invoices/1"))
      TestFiles.link(source.appending("invoices/1"), as: source.appending("one"))
      TestFiles.symbolicLink("small", at: source.appending("link"))
      TestFiles.write("a file", to: source.appending("turns"))
      var ids = [try shop.backup(.full).envelope.snapshot.description]
      var trees = [TreeDescription(of: source)]
      TestFiles.overwrite(source.appending("orders.db"), at: 50_000, with: random.text(100))
      TestFiles.overwrite(source.appending("orders.db"), at: 300_000, with: random.text(100))
      TestFiles.overwrite(source.appending("small"), at: 5, with: random.text(100))
      TestFiles.overwrite(source.appending("invoices/1"), at: 5, with: random.text(10))
      TestFiles.remove(source.appending("link"))
      TestFiles.symbolicLink("orders.db", at: source.appending("link"))
      TestFiles.remove(source.appending("turns"))
      TestFiles.makeDirectory(source.appending("turns"))
      TestFiles.write("a directory", to: source.appending("turns/inside"))
      ids.append(try shop.backup().envelope.snapshot.description)
      trees.append(TreeDescription(of: source))
      (self.ids, self.trees) = (ids, trees)
    }

    /// A target with the first day.
    func makeTarget() throws {
      TestFiles.removeTree(target)
      try shop.restore(ids[0], to: "target")
    }

    var target: Path { shop.directory.appending("target") }
    private(set) var probe = FaultProbe()

    /// Restores a day, disturbed at one operation; `nil` for none.
    mutating func restore(day: Int, cutAt index: Int?, isDelta: Bool) throws -> Restore.Report {
      for _ in 0..<100 {
        probe = FaultProbe(.cut, at: index)
        do {
          return try shop.restore(ids[day], to: "target", in: shop.repository(probe: probe)) { $0.isDelta = isDelta }
        } catch let error as EngineError where error.exitStatus == .locked {
          // A program that another test starts holds the lock of the restore before for a moment, between its fork and
          // its exec.
          Pause.briefly()
        }
      }
      throw EngineError(.usage, "the target is never free", hint: nil)
    }

    /// Every file under its final name is one of the two days' in all its bytes.
    func expectWholeFiles(_ place: String) {
      for (name, node) in TreeDescription(of: target).nodes where !name.hasPrefix(".holdfast-restore") {
        guard node.mode & 0o170000 == 0o100000 else { continue }
        #expect(
          trees.contains { $0.nodes[name]?.content == node.content }, "\(place): \(name) is half-patched")
      }
    }
  }

  @Test func aFreshRestoreIsWholeOrUnfinished() throws {
    var shop = try Shop()
    _ = try shop.restore(day: 1, cutAt: nil, isDelta: false)
    let count = shop.probe.count
    #expect(count > 30)
    for index in Trials.places(count) {
      TestFiles.removeTree(shop.target)
      let outcome = Result { try shop.restore(day: 1, cutAt: index, isDelta: false) }
      let place = "operation \(index): \(shop.probe.log.last?.operation.rawValue ?? "-")"
      #expect(throws: (any Error).self, "\(place)") { try outcome.get() }
      shop.expectWholeFiles(place)
      try finish(&shop, place)
    }
  }

  /// Only root can move a directory that it may not write to: nobody else could restore one that had its mode before
  /// its name.
  @Test func aReadOnlyDirectoryGetsItsModeAfterItsName() throws {
    let shop = try TestShop(workers: 1)
    TestFiles.makeDirectory(shop.source.appending("invoices"))
    TestFiles.write("1", to: shop.source.appending("invoices/1"))
    TestFiles.setMode(shop.source.appending("invoices"), 0o555)
    try shop.backup(.full)
    let staged = shop.directory.appending("target/.holdfast-restore/invoices")
    let mode = Mutex<UInt32?>(nil)
    let probe = MeddlingProbe(before: .rename, of: "invoices") { _ in
      mode.withLock { $0 = TreeDescription(of: staged).nodes["."]?.mode }
    }
    try shop.restore(to: "target", in: shop.repository(probe: probe))
    #expect(mode.withLock { $0 } == 0o040700)
    let target = TreeDescription(of: shop.directory.appending("target"))
    #expect(target.differences(from: TreeDescription(of: shop.source)) == [])
  }

  /// Running the same again finishes the restore; where names were being given already, the operator is told to say
  /// `--delta`.
  private func finish(_ shop: inout Shop, _ place: String) throws {
    let foreign = TestFiles.names(in: shop.target).filter { $0 != ".holdfast-restore" }
    do {
      _ = try shop.restore(day: 1, cutAt: nil, isDelta: false)
      #expect(foreign == [], "\(place)")
    } catch let error as EngineError {
      #expect(error.message.contains("is not empty"), "\(place): \(error)")
      #expect(foreign != [], "\(place)")
      _ = try shop.restore(day: 1, cutAt: nil, isDelta: true)
    }
    #expect(TreeDescription(of: shop.target).differences(from: shop.trees[1]) == [], "\(place)")
  }

  @Test(arguments: [0, 1]) func aDeltaRestoreCanBeRunAgain(day: Int) throws {
    var shop = try Shop()
    try shop.makeTarget()
    if day == 0 { _ = try shop.restore(day: 1, cutAt: nil, isDelta: true) }
    _ = try shop.restore(day: day, cutAt: nil, isDelta: true)
    let count = shop.probe.count
    #expect(count > 30)
    for index in Trials.places(count) {
      try shop.makeTarget()
      if day == 0 { _ = try shop.restore(day: 1, cutAt: nil, isDelta: true) }
      let outcome = Result { try shop.restore(day: day, cutAt: index, isDelta: true) }
      let place = "day \(day), operation \(index): \(shop.probe.log.last?.operation.rawValue ?? "-")"
      #expect(throws: (any Error).self, "\(place)") { try outcome.get() }
      shop.expectWholeFiles(place)
      _ = try shop.restore(day: day, cutAt: nil, isDelta: true)
      #expect(TreeDescription(of: shop.target).differences(from: shop.trees[day]) == [], "\(place)")
    }
  }

  /// What an interrupted restore left does not stand in the way of another day.
  @Test func anotherDayCanBeRestoredAfterAnInterruptedOne() throws {
    var shop = try Shop()
    try shop.makeTarget()
    _ = try shop.restore(day: 1, cutAt: nil, isDelta: true)
    let count = shop.probe.count
    for index in Trials.places(count) {
      try shop.makeTarget()
      _ = try? shop.restore(day: 1, cutAt: index, isDelta: true)
      let place = "operation \(index): \(shop.probe.log.last?.operation.rawValue ?? "-")"
      do {
        _ = try shop.restore(day: 0, cutAt: nil, isDelta: true)
        #expect(TreeDescription(of: shop.target).differences(from: shop.trees[0]) == [], "\(place)")
      } catch {
        Issue.record("\(place): \(error)")
      }
    }
  }

  /// An error is no success: it is reported at whatever operation it comes.
  @Test(arguments: [Int32(28), 5]) func anErrorAnywhereIsReported(code: Int32) throws {
    var shop = try Shop()
    try shop.makeTarget()
    _ = try shop.restore(day: 1, cutAt: nil, isDelta: true)
    let count = shop.probe.count
    for index in Trials.places(count) {
      try shop.makeTarget()
      let probe = FaultProbe(.fail(code), at: index)
      let report = try? shop.shop.restore(shop.ids[1], to: "target", in: shop.shop.repository(probe: probe)) {
        $0.isDelta = true
      }
      let place = "operation \(index): \(probe.log[index].operation)"
      #expect(report?.exitStatus != .done, "\(place)")
      shop.expectWholeFiles(place)
    }
  }
}
