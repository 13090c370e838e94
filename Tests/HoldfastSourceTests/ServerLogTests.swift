import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Whoever owns `pg_wal` can cut a segment while it is read: only whole blocks are passed on.
@Suite struct ServerLogTests {
  private let directory = TemporaryDirectory()
  private static let block = 1 << 20

  private func read(_ size: Int, cutTo cut: Int?) throws -> [Int] {
    let path = directory.appending("segment")
    TestFiles.write([UInt8](repeating: 7, count: size), to: path)
    let file = try TestHost.make().files.open(path, .read)
    var counts: [Int] = []
    try PostgresBackup.readWhole(file, count: UInt64(size)) { bytes in
      counts.append(bytes.count)
      if let cut, counts.count == 1 { TestFiles.truncate(path, to: cut) }
    }
    return counts
  }

  @Test func aSegmentIsReadInWholeBlocks() throws {
    #expect(try read(3 * Self.block, cutTo: nil) == [Self.block, Self.block, Self.block])
    #expect(try read(Self.block + 8192, cutTo: nil) == [Self.block, 8192])
  }

  @Test(arguments: [0, 1 << 20, (1 << 20) + 100, (2 << 20) - 1])
  func aSegmentThatShrinksIsRefused(cut: Int) throws {
    #expect(throws: LogRefusal.self) { try read(3 * Self.block, cutTo: cut) }
  }
}
