import HoldfastDrill
import HoldfastModel
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A drill ends when it passes a limit of time or room. That is no failure of the snapshot, and the data goes.
@Suite struct DrillLimitTests {
  private static let endless = "WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

  @Test func aDrillThatTakesTooLongCouldNotBeFinished() throws {
    let shop = try DrillShop()
    let refusal = shop.refusal {
      $0.assertions = [DrillAssertion(Self.endless)]
      $0.timeout = .seconds(2)
    }
    #expect(
      refusal
        == "the drill could not be finished: it was at assertions after 2.0 s\nHINT: Raise `timeout:` of drill in the configuration, or say --timeout."
    )
    #expect(TestFiles.names(in: shop.own).sorted() == ["lock", "log"])
    #expect(shop.log.contains("the drill could not be made: the drill could not be finished: "), "\(shop.log)")
    // The next one has its own time.
    #expect(try shop.drill().failure == nil)
  }

  @Test func anAssertionHasATimeOfItsOwn() throws {
    let shop = try DrillShop()
    let refusal = shop.refusal {
      $0.assertions = [
        DrillAssertion("SELECT 1", timeout: .hours(1)), DrillAssertion(Self.endless, timeout: .milliseconds(200)),
      ]
    }
    #expect(
      refusal
        == "the drill could not be finished: assertion 2 was not answered within 0.2 s\nHINT: Raise its `timeout:`, or ask something that is answered sooner."
    )
  }

  @Test func anAssertionOfSQLiteOnlyReads() throws {
    let shop = try DrillShop()
    #expect(
      shop.refusal { $0.assertions = [DrillAssertion("DELETE FROM orders")] }
        == "assertion 1 cannot be asked: orders.db: attempt to write a readonly database")
  }

  /// The watch cannot tell how much there is, so it does not guess.
  @Test func aDrillEndsWhenItCannotBeToldWhatItHolds() throws {
    let shop = try DrillShop()
    let restored = shop.scratch.appending("data/orders.db").text
    let deep = shop.scratch.appending("data").text
    // A path that is longer than any that is examined.
    let digger = RunningProcess(
      RunningProcess.Start([
        "sh", "-c",
        "until [ -e '\(restored)' ]; do sleep 0.05; done; cd '\(deep)'; n=$(printf %0250d 0); for i in $(seq 20); do mkdir $n; cd $n; done",
      ]))
    defer { _ = digger.wait() }
    let refusal = shop.refusal {
      $0.bytesMax = 1 << 30
      $0.assertions = [DrillAssertion(Self.endless)]
    }
    #expect(refusal.hasPrefix("the drill could not be finished: it cannot be told how much it holds in "), "\(refusal)")
  }

  /// Starts a process that writes so much to a file once the data is restored.
  private func filler(_ shop: DrillShop, _ path: Path, mebibytes: Int, place: Path) -> RunningProcess {
    let restored = place.appending("holdfast-drill-source/scratch/data/orders.db").text
    return RunningProcess(
      RunningProcess.Start([
        "sh", "-c",
        "until [ -e '\(restored)' ]; do sleep 0.05; done; head -c \(mebibytes)M /dev/zero > '\(path.text)'",
      ]))
  }

  @Test(.requires(.mounts)) func aDrillEndsBeforeTheDiskIsFull() throws {
    let shop = try DrillShop()
    let disk = try SmallDisk(at: shop.shop.directory.appending("small"), mebibytes: 64)
    let filler = filler(shop, disk.path.appending("other"), mebibytes: 60, place: disk.path)
    defer { _ = filler.wait() }
    let refusal = shop.refusal {
      $0.directory = disk.path
      $0.assertions = [DrillAssertion(Self.endless)]
    }
    #expect(
      refusal.contains("MiB are free in DIR/small/holdfast-drill-source, and 8.0 MiB are left to others\nHINT: Free"),
      "\(refusal)")
    #expect(TestFiles.names(in: disk.path.appending("holdfast-drill-source")).sorted() == ["lock", "log"])
  }

  @Test func aDrillEndsWhenItHoldsMoreThanAllowed() throws {
    let shop = try DrillShop()
    let filler = filler(shop, shop.scratch.appending("data/grown"), mebibytes: 4, place: shop.place)
    defer { _ = filler.wait() }
    let refusal = shop.refusal {
      $0.bytesMax = 1 << 20
      $0.assertions = [DrillAssertion(Self.endless)]
    }
    #expect(
      refusal.hasPrefix("the drill could not be finished: it holds ")
        && refusal.hasSuffix(
          " at assertions, and may hold 1.0 MiB\nHINT: Raise max-size of drill in the configuration, or say --max-size."
        ),
      "\(refusal)")
  }
}
