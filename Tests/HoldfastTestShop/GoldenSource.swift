package import HoldfastModel
internal import HoldfastTestSupport

/// The sources whose snapshots lie in Tests/Fixtures/format-1, made anew: what a restore must give for ever.
package enum GoldenSource: CaseIterable {
  case full, incremental, differential, example

  /// A name that is no text.
  private static let byteName: [UInt8] = [0x6e, 0xff, 0x0a]

  package var name: String { self == .example ? "example" : "shop" }
  package var sequence: Int {
    switch self {
    case .full, .example: 1
    case .incremental: 2
    case .differential: 3
    }
  }

  /// Lays the source down at `path`, which does not exist.
  package func make(at path: Path) {
    TestFiles.makeDirectory(path)
    switch self {
    case .example: TestFiles.write("hello, world\n", to: path.appending("greeting"))
    case .full: makeShop(path)
    case .incremental:
      makeShop(path)
      changeOnce(path)
    case .differential:
      makeShop(path)
      changeOnce(path)
      changeTwice(path)
    }
    settle(path)
  }

  private func makeShop(_ path: Path) {
    TestFiles.write(
      pages([.header, .rows(1), .zeros, .noise(5)]) + rows(from: 9000, 100), to: path.appending("orders.db"))
    TestFiles.link(path.appending("orders.db"), as: path.appending("orders.link"))
    TestFiles.write(rows(from: 1, 300), to: path.appending("shop.log"))
    TestFiles.write("", to: path.appending("empty"))
    TestFiles.makeDirectory(path.appending("invoices"))
    TestFiles.write("<invoice number=\"1\"/>\n", to: path.appending("invoices/1.xml"))
    TestFiles.write("<invoice number=\"2\"/>\n", to: path.appending("invoices/2.xml"))
    TestFiles.makeDirectory(path.appending("nothing in here"))
    TestFiles.symbolicLink("orders.db", at: path.appending("current"))
    TestFiles.makeFifo(path.appending("queue"))
    TestFiles.write("no text", to: path.appending(Self.byteName))
  }

  /// Pages change, the database grows, an invoice goes, a link leads elsewhere, something is new.
  private func changeOnce(_ path: Path) {
    TestFiles.write(
      pages([.header, .rows(50), .zeros, .noise(5), .rows(9000)]) + rows(from: 7000, 200),
      to: path.appending("orders.db"))
    TestFiles.remove(path.appending("invoices/2.xml"))
    TestFiles.remove(path.appending("current"))
    TestFiles.symbolicLink("shop.log", at: path.appending("current"))
    TestFiles.write(rows(from: 1, 320), to: path.appending("shop.log"))
    TestFiles.write("new\n", to: path.appending("invoices/3.xml"))
  }

  /// The database shrinks, a file becomes a directory, a directory goes, a file is renamed.
  private func changeTwice(_ path: Path) {
    TestFiles.write(pages([.header, .rows(50)]), to: path.appending("orders.db"))
    TestFiles.remove(path.appending("empty"))
    TestFiles.makeDirectory(path.appending("empty"))
    TestFiles.removeTree(path.appending("nothing in here"))
    TestFiles.rename(path.appending("invoices/1.xml"), to: path.appending("invoices/one.xml"))
    TestFiles.remove(path.appending(Self.byteName))
  }

  /// Modes and times that do not depend on when and by whom the source was made.
  private func settle(_ path: Path) {
    let second = 1_000_000_000 + sequence
    for file in TestFiles.allFiles(in: path) + [path.appending(Self.byteName)] {
      let isLink = file.lastComponent.elementsEqual(Array("current".utf8))
      if !isLink { TestFiles.setMode(file, file.lastComponent.elementsEqual(Array("queue".utf8)) ? 0o600 : 0o640) }
      TestFiles.setModified(file, seconds: second, nanoseconds: 123_456_789)
    }
    for directory in ["invoices", "nothing in here", "empty", ""] {
      let folder = path.appending(directory)
      guard TestFiles.exists(folder), directory != "empty" || self == .differential else { continue }
      TestFiles.setMode(folder, 0o750)
      TestFiles.setModified(folder, seconds: second, nanoseconds: 0)
    }
  }

  // MARK: Contents

  private enum Page {
    case header, zeros
    /// Lines from this number on.
    case rows(Int)
    /// Bytes that cannot be compressed.
    case noise(UInt64)
  }

  private func pages(_ pages: [Page]) -> [UInt8] {
    pages.flatMap { page -> [UInt8] in
      switch page {
      case .header: Array("SQLite format 3\0".utf8) + [0x10, 0] + [UInt8](repeating: 1, count: 4078)
      case .zeros: [UInt8](repeating: 0, count: 4096)
      case .rows(let first): rows(from: first, 4096)
      case .noise(let seed): noise(seed)
      }
    }
  }

  private func noise(_ seed: UInt64) -> [UInt8] {
    var random = SeededRandom(seed: seed)
    return random.bytes(4096)
  }

  private func rows(from first: Int, _ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var number = first
    while bytes.count < count {
      bytes += Array("order \(number) shipped\n".utf8)
      number += 1
    }
    return Array(bytes.prefix(count))
  }
}
