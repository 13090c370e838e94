import HoldfastArchive
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What waits for its place comes back as it was: in memory, in a scratch file, in a sealed one.
@Suite struct ChangeSpoolTests {
  private enum Kept: Equatable {
    case kept(Entry)
    case put(Entry, isNew: Bool, inherits: Bool, runs: [PageRun])
    case removed(Path)
  }

  private func all(of reader: ChangeSpool.Reader) throws -> [Kept] {
    var all: [Kept] = []
    while let item = try reader.next() {
      switch item {
      case .kept(let entry): all.append(.kept(entry))
      case .removed(let path): all.append(.removed(path))
      case .put(let entry, let isNew, let inherits, let runs):
        var found: [PageRun] = []
        if var runs {
          while let run = try runs.next() { found.append(run) }
        }
        all.append(.put(entry, isNew: isNew, inherits: inherits, runs: found))
      }
    }
    return all
  }

  @Test(arguments: [false, true], [100, 4000]) func everythingComesBackInItsOrder(isSealed: Bool, count: Int) throws {
    var random = SeededRandom(seed: UInt64(count))
    let spool = ChangeSpool(ScratchSpace(host: TestShop.host(), isSealed: isSealed))
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
        let runs = entry.file.map { random.runs(in: $0) } ?? []
        let inherits = entry.file != nil && Bool.random(using: &random)
        let isNew = !inherits && Bool.random(using: &random)
        try spool.put(entry, isNew: isNew, inherits: inherits, runs: entry.file == nil ? nil : ListedRuns(runs))
        expected.append(.put(entry, isNew: isNew, inherits: inherits, runs: runs))
      }
    }
    #expect(try all(of: spool.finish()) == expected, "seed \(count)")
    #expect(try all(of: spool.finish()) == expected, "as often as it is wanted")
  }

  /// Whoever does not need the runs of a file need not read them.
  @Test func runsThatAreNotReadAreSkipped() throws {
    var random = SeededRandom(seed: 5)
    let spool = ChangeSpool(ScratchSpace(host: TestShop.host(), isSealed: false))
    let paths = random.paths(300)
    for path in paths {
      let file = random.file()
      try spool.put(
        random.entry(path, .file(file)), isNew: true, inherits: false, runs: ListedRuns(random.runs(in: file)))
    }
    let reader = try spool.finish()
    var found: [Path] = []
    while let item = try reader.next() { found.append(item.path) }
    #expect(found == paths)
  }
}

private struct ListedRuns: PageMapReader {
  private var rest: ArraySlice<PageRun>
  init(_ runs: [PageRun]) { rest = runs[...] }
  mutating func next() -> PageRun? { rest.popFirst() }
}
