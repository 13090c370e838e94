import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport

/// A rollback journal made by hand as https://www.sqlite.org/fileformat2.html, section 3, says, with whatever numbers a
/// test wants.
struct HandmadeJournal {
  static let magic: [UInt8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]

  struct Record {
    var page: UInt32
    /// The byte that fills the page.
    var content: UInt8
    var isChecksumRight = true
  }

  /// A header and the records after it.
  struct Section {
    /// `nil` for the number of records that there are.
    var recordCount: UInt32?
    var seed: UInt32 = 0x1234_5678
    var pageCount: UInt32
    /// As the header says them; `nil` for those of the journal.
    var sectorSize: UInt32?
    var pageSize: UInt32?
    var records: [Record] = []
  }

  /// Those with which it is written.
  var sectorSize = 512
  var pageSize = 512
  var sections: [Section] = []

  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    for section in sections {
      bytes += [UInt8](repeating: 0, count: (sectorSize - bytes.count % sectorSize) % sectorSize)
      let numbers = [
        section.recordCount ?? UInt32(section.records.count), section.seed, section.pageCount,
        section.sectorSize ?? UInt32(sectorSize), section.pageSize ?? UInt32(pageSize),
      ]
      let head = Self.magic + numbers.flatMap(Self.bigEndian)
      bytes += head + [UInt8](repeating: 0, count: max(0, sectorSize - head.count))
      for record in section.records { bytes += self.bytes(record, section.seed) }
    }
    return bytes
  }

  private func bytes(_ record: Record, _ seed: UInt32) -> [UInt8] {
    let content = [UInt8](repeating: record.content, count: pageSize)
    // Every two hundredth byte, from the end on.
    let summands = (pageSize - 1) / 200
    let sum = seed &+ UInt32(summands) &* UInt32(record.content) &+ (record.isChecksumRight ? 0 : 1)
    return Self.bigEndian(record.page) + content + Self.bigEndian(sum)
  }

  static func bigEndian(_ number: UInt32) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
}

extension RollbackJournal {
  /// The journal in a file; `nil` where it restores nothing.
  static func found(in path: Path, pageSize: UInt32 = 512, max frames: Int = 1000) throws -> RollbackJournal? {
    try RollbackJournal(FileSystem().open(path, .read), databasePageSize: pageSize, framesMax: frames) { false }
  }
}
