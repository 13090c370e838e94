import HoldfastArchive
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What waits for its place comes back as it was: in memory, in a scratch file, in a sealed one.
@Suite struct ChangeSpoolTests {
  private enum Kept: Equatable {
    case kept(Entry)
    case put(Entry, isNew: Bool, inherits: Bool, extents: [PageExtent])
    case removed(Path)
  }

  private func all(of reader: ChangeSpool.Reader) throws -> [Kept] {
    var all: [Kept] = []
    while let item = try reader.next() {
      switch item {
      case .kept(let entry): all.append(.kept(entry))
      case .removed(let path): all.append(.removed(path))
      case .put(let entry, let isNew, let inherits, let extents):
        var found: [PageExtent] = []
        if var extents {
          while let extent = try extents.next() { found.append(extent) }
        }
        all.append(.put(entry, isNew: isNew, inherits: inherits, extents: found))
      }
    }
    return all
  }

  @Test(arguments: [false, true], [100, 4000]) func everythingComesBackInItsOrder(isSealed: Bool, count: Int) throws {
    var random = SeededRandom(seed: UInt64(count))
    let spool = ChangeSpool(ScratchSpace(host: TestHost.make(), isSealed: isSealed))
    var expected: [Kept] = []
    for path in random.paths(count) {
      let entry = random.entry(path, random.content())
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        try spool.keep(entry)
        expected.append(.kept(entry))
      case 1:
        try spool.remove(path)
        expected.append(.removed(path))
      default:
        let extents = entry.file.map { random.extents(in: $0) } ?? []
        let inherits = entry.file != nil && Bool.random(using: &random)
        let isNew = !inherits && Bool.random(using: &random)
        try spool.put(
          entry, isNew: isNew, inherits: inherits, extents: entry.file == nil ? nil : ListedExtents(extents))
        expected.append(.put(entry, isNew: isNew, inherits: inherits, extents: extents))
      }
    }
    #expect(try all(of: spool.finish()) == expected, "seed \(count)")
    #expect(try all(of: spool.finish()) == expected, "as often as it is wanted")
  }

  /// Whoever does not need the runs of a file need not read them.
  @Test func extentsThatAreNotReadAreSkipped() throws {
    var random = SeededRandom(seed: 5)
    let spool = ChangeSpool(ScratchSpace(host: TestHost.make(), isSealed: false))
    let paths = random.paths(300)
    for path in paths {
      let file = random.file()
      try spool.put(
        random.entry(path, .file(file)), isNew: true, inherits: false, extents: ListedExtents(random.extents(in: file)))
    }
    let reader = try spool.finish()
    var found: [Path] = []
    while let item = try reader.next() { found.append(item.path) }
    #expect(found == paths)
  }
}

private struct ListedExtents: PageMapReader {
  private var rest: ArraySlice<PageExtent>
  init(_ extents: [PageExtent]) { rest = extents[...] }
  mutating func next() -> PageExtent? { rest.popFirst() }
}
