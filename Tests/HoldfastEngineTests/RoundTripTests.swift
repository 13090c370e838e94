import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// What went in comes out, whatever it is and however the chain was made.
@Suite struct RoundTripTests {
  @Test(arguments: [false, true]) func everyKindOfEntryComesBackAsItWas(isSealed: Bool) throws {
    let shop = try TestShop(isSealed: isSealed)
    var random = SeededRandom(seed: 1)
    TestFiles.write(random.text(300_000), to: shop.source.appending("orders.db"))
    TestFiles.write("", to: shop.source.appending("empty"))
    TestFiles.makeDirectory(shop.source.appending("invoices"))
    TestFiles.write("invoice 1", to: shop.source.appending("invoices").appending("1.xml"))
    TestFiles.makeDirectory(shop.source.appending("nothing in here"))
    TestFiles.symbolicLink("orders.db", at: shop.source.appending("link"))
    TestFiles.link(shop.source.appending("orders.db"), as: shop.source.appending("other name"))
    TestFiles.makeFifo(shop.source.appending("fifo"))
    TestFiles.setModified(shop.source.appending("orders.db"), seconds: 1_000_000_000, nanoseconds: 123_456_789)
    try shop.backup(.full)
    #expect(try shop.differencesAfterRestore() == [])
    #expect(try shop.verify().exitStatus == .done)
  }
}
