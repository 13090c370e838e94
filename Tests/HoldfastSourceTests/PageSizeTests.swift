import HoldfastSource
import Testing

/// The page is the unit in which whoever writes the file changes it.
@Suite struct PageSizeTests {
  private static func header(_ high: UInt8, _ low: UInt8) -> [UInt8] {
    Array("SQLite format 3\0".utf8) + [high, low] + [UInt8](repeating: 0, count: 82)
  }

  private func choose(_ head: [UInt8], size: UInt64 = 1 << 20, isInPostgreSQL: Bool = false) -> UInt32 {
    head.withUnsafeBytes { PageSize.choose(head: $0, size: size, isInPostgreSQL: isInPostgreSQL) }
  }

  /// Pages below 4 KiB are taken together; 1 stands for 65,536.
  @Test(arguments: [
    (512, 4096), (1024, 4096), (2048, 4096), (4096, 4096), (8192, 8192), (16_384, 16_384), (32_768, 32_768),
    (1, 65_536),
  ])
  func anSQLiteDatabaseHasItsOwnPages(_ field: UInt16, _ pageSize: UInt32) {
    let head = Self.header(UInt8(field >> 8), UInt8(field & 0xff))
    #expect(choose(head) == pageSize)
    #expect(choose(head, size: 1 << 40) == pageSize, "also a very large one")
    #expect(choose(head, isInPostgreSQL: true) == pageSize)
    #expect(choose(Array(head.prefix(18))) == pageSize)
  }

  @Test(arguments: [0, 2, 256, 511, 513, 4095, 4097, 12_288, 65_535])
  func aPageSizeThatCannotBeIsIgnored(_ field: UInt16) {
    #expect(choose(Self.header(UInt8(field >> 8), UInt8(field & 0xff))) == PageSize.standard)
  }

  @Test func anythingElseHasStandardPages() {
    #expect(choose([]) == 4096)
    #expect(choose(Array("SQLite format 3\0".utf8)) == 4096)
    #expect(choose(Array("SQLite format 3\0".utf8) + [0x20]) == 4096)
    #expect(choose(Array("SQLite format 4\0".utf8) + [0x20, 0x00]) == 4096)
    #expect(choose([UInt8](repeating: 0xff, count: 100)) == 4096)
  }

  @Test func filesOfPostgreSQLHaveItsPages() {
    #expect(choose([1, 2, 3], isInPostgreSQL: true) == 8192)
    #expect(choose([], size: 1 << 40, isInPostgreSQL: true) == 8192)
  }

  @Test(
    arguments: [
      (0, 4096), ((64 << 30) - 1, 4096), (64 << 30, 16_384), ((256 << 30) - 1, 16_384), (256 << 30, 65_536),
      (.max, 65_536),
    ] as [(UInt64, UInt32)])
  func veryLargeFilesHaveCoarserPages(_ size: UInt64, _ pageSize: UInt32) {
    #expect(choose([], size: size) == pageSize)
  }
}
